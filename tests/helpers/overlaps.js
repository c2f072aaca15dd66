// What is cut or overlaps on a page, a line each: a page that scrolls sideways, text that its container cuts, an equation
// wider than its place that cannot be scrolled; in charts, text outside of them, over other text, or under a marker.
() => {
  const found = []
  const tell = (what, text) => found.push(`${what}: ${text.trim().slice(0, 70)}`)
  const shown = (element) => {
    const { width, height } = element.getBoundingClientRect()
    const style = getComputedStyle(element)
    return width > 0 && height > 0 && style.visibility !== "hidden" && style.opacity !== "0"
  }
  const shared = (a, b) => [
    Math.min(a.right, b.right) - Math.max(a.left, b.left),
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top),
  ]
  const area = (box) => box.width * box.height
  const scrolls = (element) => /auto|scroll/.test(getComputedStyle(element).overflowX + getComputedStyle(element).overflowY)

  const cut = (node) => {
    const range = document.createRange()
    range.selectNodeContents(node)
    const box = range.getBoundingClientRect()
    if (box.width < 2 || box.height < 2) return false
    for (let up = node.parentElement; up && up !== document.body; up = up.parentElement) {
      const style = getComputedStyle(up), around = up.getBoundingClientRect()
      if ((scrolls(up) && up !== node.parentElement) || around.width <= 2 || around.height <= 2) return false
      const hides = (overflow) => /hidden|clip/.test(overflow)
      if (hides(style.overflowX) && (box.right > around.right + 2 || box.left < around.left - 2)) return true
      if (hides(style.overflowY) && (box.bottom > around.bottom + 6 || box.top < around.top - 6)) return true
    }
    return false
  }

  for (const element of [document.documentElement, document.querySelector('[data-testid="stMain"]')])
    if (element && element.scrollWidth > element.clientWidth + 1) tell("the page scrolls sideways", location.pathname)
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const own = node.parentElement
    const skipped = own.closest("svg, .katex-mathml, script, style, noscript, [aria-hidden=true]")
    if (node.textContent.trim() && !skipped && shown(own) && cut(node)) tell("cut", node.textContent)
  }
  for (const equation of document.querySelectorAll(".katex-display")) {
    const around = [equation, equation.parentElement, equation.parentElement.parentElement]
    if (equation.scrollWidth > equation.clientWidth + 2 && !around.some(scrolls)) tell("equation cut", equation.textContent)
  }

  for (const plot of document.querySelectorAll(".js-plotly-plot")) {
    if (!shown(plot) || plot.closest("details:not([open])")) continue
    const frame = plot.getBoundingClientRect()
    const label = plot.closest("[aria-label]")?.getAttribute("aria-label") ?? ""
    const texts = [...plot.querySelectorAll("svg text")]
      .filter((text) => text.textContent.trim() && shown(text) && !text.closest(".hoverlayer, .modebar"))
      .map((text) => ({
        text: text.textContent, box: text.getBoundingClientRect(), ofAxis: Boolean(text.closest(".xtick, .ytick, .legend")),
        turned: /rotate\((?!0[,)])/.test(text.getAttribute("transform") ?? ""),
      }))
    const marks = [...plot.querySelectorAll(".scatterlayer .points path.point")]
      .filter((mark) => shown(mark) && mark.getBoundingClientRect().width <= 40).map((mark) => mark.getBoundingClientRect())
    texts.forEach(({ text, box, ofAxis, turned }, i) => {
      if (box.left < frame.left - 2 || box.right > frame.right + 2 || box.top < frame.top - 2 || box.bottom > frame.bottom + 2)
        tell("outside", `${text} (${label})`)
      for (const other of texts.slice(0, i)) {
        const [width, height] = shared(box, other.box)
        const both = width > 3 && height > 5 && width * height > 0.12 * Math.min(area(box), area(other.box))
        if (both && !(turned && other.turned)) tell("overlap", `${other.text} / ${text} (${label})`)
      }
      const under = (mark) => { const [width, height] = shared(box, mark); return width > 4 && height > 6 }
      if (!ofAxis && marks.some(under)) tell("under a marker", `${text} (${label})`)
    })
  }
  return [...new Set(found)]
}
