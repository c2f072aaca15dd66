"""Share: the public demo, started, shown and stopped; the web demo, built and served."""

import streamlit as st

from workbench import services
from workbench.demo import process, web_process
from workbench.server.consent import where_pictures_go
from workbench.ui import charts, classroom, page_content, views

views.title("Share", "How can others open FERScope on their phones?")
classroom.teacher_or_stop("share")


def before() -> None:
    left, right = st.columns(2)
    with left:
        link = st.toggle("Make a public link, through Gradio's tunnel", value=False, key="share-link")
        samples = st.toggle("Samples only: no camera, no upload", key="share-samples")
        with st.popover("Require a name and a password"):
            user = st.text_input("Name", key="share-user")
            password = st.text_input("Password", type="password", key="share-password")
        if st.button("Start the demo", type="primary"):
            try:
                process.start(link, samples, user, password)
            except process.SharingError as error:
                st.error(str(error))
            else:
                st.rerun()
    with right:
        told = f"{where_pictures_go(link)} Visitors accept a consent notice before they use an image of their own."
        if samples:
            told = "Only sample faces and drawn faces are used."
        views.caption(f"**What visitors are told:** {told}")
        views.caption(
            "**What you should tell them:** a network estimates the label that annotators would give a face, not what "
            "anybody feels; nobody has to take part; samples and drawn faces show the same."
        )


@page_content.fragment(run_every=2)
def while_it_runs() -> None:
    demo = process.current()
    if demo is None:
        st.rerun(scope="app")
    if not demo.ready:
        st.info("The demo is starting. Loading its networks takes up to a minute.")
    elif demo.requested and demo.link is None:
        st.warning(
            "**No public link:** this computer cannot reach Gradio's tunnel. The demo is available on this computer "
            f"only, at {demo.local}"
        )
    code, counts = st.columns([1, 2])
    if demo.link:
        code.image(process.qr_code(demo.link), width=260, alt=f"QR code of {demo.link}")
        counts.markdown(f"## {demo.link}")
        counts.markdown(f"On this computer: {demo.local}. The link expires with the demo, or after a week.")
    elif demo.ready:
        counts.markdown(f"## {demo.local}")
        counts.markdown("Available on this computer only. Phones need the public link, so there is no QR code.")
    if demo.ready:
        visitors, requests, refused, load = counts.columns(4)
        visitors.metric("Visitors", demo.visitors, help="Browsers that have the demo open now.")
        requests.metric("Requests", demo.served, help="Uploads, predictions and page loads so far.")
        refused.metric("Refused", demo.refused, help="Too many at once, too large, or not allowed.")
        load.metric("CPU load", charts.percent(demo.cpu), help="Of one processor core.")


def public_demo() -> None:
    if process.current() is None:
        before()
        return
    while_it_runs()
    if st.button("Stop the demo", type="primary"):
        with st.spinner("Stopping the demo and deleting uploads"):
            process.stop()
        st.rerun()


def web_demo() -> None:
    st.markdown(
        "A static page in which each visitor's browser runs the networks: no upload, no queue, any number of phones. "
        "Put it on any web space, or serve it to the local network."
    )
    names = [name for name in services.networks.network_names() if services.networks.is_trained(name)]
    titles = {name: services.networks.get_spec(name).title for name in names}
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    chosen = left.multiselect("Networks", names, default=names[:1], format_func=titles.get, key="web-networks")
    if right.button("Build the web demo", type="primary", disabled=not chosen, width="stretch"):
        web_process.stop()
        try:
            with st.spinner("Exporting the networks and comparing them with PyTorch, up to a minute each"):
                web_process.build(chosen, lambda _: None)
        except (ValueError, OSError) as error:
            st.error(str(error))
    if found := web_process.written():
        views.caption(f"**Built:** {', '.join(found.titles)}, {found.bytes / 1e6:.1f} MB, in `{web_process.FOLDER}`.")
        download, serving = st.columns([1, 3], vertical_alignment="bottom")
        download.download_button(
            "Download as zip", web_process.zipped, "ferscope-web-demo.zip", "application/zip", on_click="ignore"
        )
        with serving:
            serve_web_demo()


def serve_web_demo() -> None:
    server = web_process.current()
    if server is None:
        lan = st.toggle("For the local network", key="web-lan")
        if st.button("Serve the web demo"):
            try:
                web_process.start(lan=lan)
            except web_process.SharingError as error:
                st.error(str(error))
            else:
                st.rerun()
        return
    left, right = st.columns(2)
    left.link_button("Open the web demo", server.local)
    if right.button("Stop serving the web demo"):
        web_process.stop()
        st.rerun()
    for address in server.network[:1]:
        st.image(process.qr_code(address), width=260, alt=f"QR code of {address}")
        st.markdown(f"## {address}")
        views.caption(
            "**Without https** browsers give no camera and no offline use: visitors choose samples or photos. On a web "
            "space with https they have both."
        )


views.tabs({"Public demo": public_demo, "Web demo": web_demo}, with_charts=False)
