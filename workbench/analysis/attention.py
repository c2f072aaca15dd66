"""What the network's own attention modules compute on a picture, what they are worth, and what they do not show.

An attention module knows its steps by itself (`models.layers`); what is missing from outside is the map that reaches
it. One forward pass brings that map; the module is then asked once more, alone. Nothing of the network is changed.

A map of attention is a number inside the network, not a reason for its answer. Three things here say how far it goes:
`attention_of` shows the numbers with their equations, `switch_off` what the logits are without them, and
`correlation_with_cams` how little the two kinds of map need to agree (Jain and Wallace 2019, "Attention is not
Explanation").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from math import isqrt
from threading import get_ident
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.stats import rankdata
from torch import Tensor, nn

from models.layers.angle_attention import AngleAttention, AngleSteps
from models.layers.bam import BAM, BAMSteps
from models.layers.cbam import CBAM, CBAMSteps
from models.layers.sca import SCA
from models.layers.svd_attention import SVDAttention, SVDAttentionSteps
from models.layers.transformer import TransformerBlock, TransformerSteps

from .borrow import borrowed
from .checks import require_finite, require_logits, require_pictures

# ---- the modules and their steps


def attention_modules(model: nn.Module) -> tuple[str, ...]:
    """Names of the attention modules of a network, in the order in which it registers them; () where it has none."""
    kinds = tuple(_READERS)
    return tuple(name for name, module in model.named_modules() if isinstance(module, kinds))


def input_of(model: nn.Module, x: Float[Tensor, "B C_in H W"], layer: str) -> Float[Tensor, "B ..."]:
    """What reaches a layer when the network is shown `x`, (B, C, h, w) or tokens (B, N, D); of several calls, the last.

    Raises:
        ValueError: there is no such layer, it is not called, or `x` holds NaN.
    """
    return _arrivals(model, x, (layer,))[layer]


def steps_of(model: nn.Module, x: Float[Tensor, "B C_in H W"], layers: Sequence[str] | None = None) -> dict[str, tuple]:
    """Every step of a network's attention modules when it is shown `x`, from one forward pass: name → its steps.

    The steps are the NamedTuple that the module documents, such as `BAMSteps`. A module whose owner switched it off
    (`enabled = False`) is asked all the same.

    Args:
        model: in whatever mode; it is asked in evaluation mode and comes back as it was. Threads may share it.
        x: pictures (B, C_in, H, W), prepared as the network expects them.
        layers: names of attention modules; None: all that the network calls, in the order of `attention_modules`.

    Raises:
        ValueError: a layer is missing, no attention module, or not called; `x` is no batch or holds NaN.
    """
    names = attention_modules(model) if layers is None else _checked_layers(model, layers)
    with borrowed(model), torch.no_grad():
        arrivals = _arrivals(model, x, names, all_of_them=layers is not None)
        return {name: model.get_submodule(name).steps(arrivals[name]) for name in names if name in arrivals}


def svd_steps(model: nn.Module, x: Float[Tensor, "B C_in H W"], layer: str) -> SVDAttentionSteps:
    """Every step of one SVD attention module of a network that is shown `x`, equations 1 to 9 of paper D.

    Raises:
        ValueError: the layer is no `SVDAttention`; otherwise as for `steps_of`.
    """
    module = _module(model, layer)
    if not isinstance(module, SVDAttention):
        raise ValueError(f'layer="{layer}" is a {type(module).__name__}, not an SVDAttention. {_on_offer(model)}')
    return steps_of(model, x, (layer,))[layer]


def _arrivals(model: nn.Module, x: Tensor, layers: Sequence[str], all_of_them: bool = True) -> dict[str, Tensor]:
    """What reaches each of several layers in one forward pass; `all_of_them`: one that is not called is an error."""
    require_pictures(x)
    modules = {layer: _module(model, layer) for layer in layers}
    thread, found = get_ident(), {}

    def take(layer: str, _module: nn.Module, inputs: tuple) -> None:
        if inputs and get_ident() == thread:  # not the input of a prediction that runs beside this one
            found[layer] = inputs[0].clone()  # a copy, because the network may go on in place

    with borrowed(model), torch.no_grad(), ExitStack() as hooks:
        for layer, module in modules.items():
            hooks.enter_context(module.register_forward_pre_hook(partial(take, layer)))
        if modules:
            model(x)
    for layer in layers:
        if all_of_them and layer not in found:
            raise ValueError(f'layer="{layer}" is not called in the forward pass. {_on_offer(model)}')
    return found


def _module(model: nn.Module, layer: str) -> nn.Module:
    try:
        return model.get_submodule(layer)
    except AttributeError:
        raise ValueError(f'layer="{layer}" is not in this network. {_on_offer(model)}') from None


def _checked_layers(model: nn.Module, layers: Sequence[str]) -> tuple[str, ...]:
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    for name in names:
        module = _module(model, name)
        if not isinstance(module, tuple(_READERS)):
            raise ValueError(f'layer="{name}" is a {type(module).__name__}, no attention module. {_on_offer(model)}')
    return names


def _on_offer(model: nn.Module) -> str:
    names = attention_modules(model)
    return f"Its attention modules: {', '.join(names)}." if names else "It has no attention modules."


# ---- the maps, with layer and equation

Over = Literal["places", "channels", "singular values"]


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """One quantity that an attention module computed on a batch of B pictures.

    Attributes:
        layer: name of the module.
        kind: its class: "CBAM", "SCA", "BAM", "SVDAttention", "AngleAttention", "TransformerBlock".
        title: what the quantity is, in a few words.
        equation: how it is computed, in LaTeX, in the symbols of the source.
        source: paper and number of the equation.
        over: what the values are spread over: "places" (B, h, w), "channels" (B, C), "singular values" (B, n).
        values: the numbers, float, without a graph.
        unit: what one unit means; "" for a plain weight.
        limits: the lowest and the highest value that is possible; None where nothing bounds it.
        weighs: True where a value is the weight of its place or channel, more is more; False for a step on the way to
            the weight, such as BAM's branches or an angle.
        pairs: of a transformer, who (row) attends to whom (column), each row summing to 1, (B, N, N) with N = h·w;
            None elsewhere.
    """

    layer: str
    kind: str
    title: str
    equation: str
    source: str
    over: Over
    values: Tensor
    unit: str = ""
    limits: tuple[float | None, float | None] = (0.0, 1.0)
    weighs: bool = True
    pairs: Tensor | None = None

    @property
    def spatial(self) -> bool:
        """Whether it weighs places, so that it may stand beside a class activation map."""
        return self.weighs and self.over == "places"


def attention_of(
    model: nn.Module,
    x: Float[Tensor, "B C_in H W"],
    layers: Sequence[str] | None = None,
    grid: tuple[int, int] | None = None,
) -> tuple[AttentionMap, ...]:
    """All that a network's attention modules computed on `x`, from one forward pass, in the order of the modules.

    Args:
        model, x, layers: as for `steps_of`.
        grid: (h, w) of the map whose positions are the tokens of a transformer; None: h = w = √N, for square pictures.

    Returns:
        The maps, several for a module; () for a network without attention.

    Raises:
        ValueError: the tokens do not fill `grid`; otherwise as for `steps_of`.
    """
    maps = []
    for layer, steps in steps_of(model, x, layers).items():
        module = model.get_submodule(layer)
        read = next(reader for kind, reader in _READERS.items() if isinstance(module, kind))
        if isinstance(steps, TransformerSteps):
            read = partial(read, grid=_grid(x, grid, steps.attention.shape[-1]))
        maps += read(module, steps, partial(AttentionMap, layer, type(module).__name__))
    return tuple(maps)


Make = Callable[..., AttentionMap]


def _read_cbam(module: CBAM, steps: CBAMSteps, make: Make) -> list[AttentionMap]:
    """What matters, then where: M_c and M_s."""
    of_b = "as CBAM; paper B names the parts without equations; " if isinstance(module, SCA) else ""
    return [
        make(
            "channel weights",
            r"M_c(F) = \sigma(\mathrm{MLP}(\mathrm{avg}\,F) + \mathrm{MLP}(\max F))",
            f"{of_b}Woo et al. 2018, eq. 2; paper E, eq. 1",
            "channels",
            steps.m_c.flatten(1),
        ),
        make(
            "spatial map",
            r"M_s(F') = \sigma(f^{7\times7}[\mathrm{avg}\,F';\,\max F']),\quad F' = M_c(F) \odot F",
            f"{of_b}Woo et al. 2018, eq. 3; paper E, eq. 2",
            "places",
            steps.m_s[:, 0],
        ),
    ]


def _read_bam(_module: BAM, steps: BAMSteps, make: Make) -> list[AttentionMap]:
    """The two branches before they are joined, and the gate. Its mean orders places exactly as M_s does."""
    open_ended = {"limits": (None, None), "weighs": False, "unit": "before the sigmoid"}
    return [
        make(
            "channel branch",
            r"M_c(F) = W_1\,\mathrm{ReLU}(\mathrm{BN}(W_0\,\mathrm{avg}\,F))",
            "Park et al. 2018, eq. 3",
            "channels",
            steps.m_c.flatten(1),
            **open_ended,
        ),
        make(
            "place branch",
            r"M_s(F) = f^{1\times1}(f^{3\times3}(f^{3\times3}(f^{1\times1}(F))))",
            "Park et al. 2018, eq. 4",
            "places",
            steps.m_s[:, 0],
            **open_ended,
        ),
        make(
            "gate, mean over channels",
            r"\frac{1}{C}\sum_c \sigma(M_c + M_s)_c,\quad F' = F + F \odot \sigma(M_c + M_s)",
            "Park et al. 2018, eq. 1 and 2; the mean is ours",
            "places",
            steps.gate.mean(1),
        ),
    ]


def _read_svd(_module: SVDAttention, steps: SVDAttentionSteps, make: Make) -> list[AttentionMap]:
    """The whole chain of paper D. Its gate weighs positions without having seen what stands there."""
    step = {"limits": (None, None), "weighs": False, "unit": "of the map"}
    strengths = {"limits": (0.0, None), "weighs": False, "unit": "of the map"}
    sigmas = {"x": steps.sigma_x, "h": steps.sigma_h, "l": steps.sigma_l}  # None: the query does without it
    whole = {"x": r"\tilde{x}", "h": "h", "l": r"\ell"}
    maps = [
        make("one channel", r"\tilde{x} = C_{1\times1}(x)", "paper D, eq. 1", "places", steps.x_tilde, **step),
        make(
            "fast waves",
            r"h = \mathcal{F}^{-1}(H_{\mathrm{high}} \odot \mathcal{F}(\tilde{x}))",
            "paper D, eq. 2 and 3",
            "places",
            steps.high,
            **step,
        ),
        make("slow waves", r"\ell = \tilde{x} - h", "paper D, table 1: LFC", "places", steps.low, **step),
    ]
    maps += [
        make(
            f"singular values of {_SVD_PARTS[part]}",
            rf"{whole[part]} = U\,\mathrm{{diag}}(\sigma_{{{part}}})\,V^\top",
            "paper D, eq. 5 to 7",
            "singular values",
            sigma,
            **strengths,
        )
        for part, sigma in sigmas.items()
        if sigma is not None
    ]
    products = [pair for pair in ("hx", "lx", "hl") if sigmas[pair[0]] is not None]
    maps += [
        make(
            f"outer product, {_SVD_PARTS[a]} with {_SVD_PARTS[b]}",
            rf"P = \sigma_{{{a}}}\,\sigma_{{{b}}}^\top",
            "paper D, eq. 8",
            "places",
            P,
            **{**strengths, "unit": "of the map, squared"},
        )
        for (a, b), P in zip(products, steps.outer.unbind(1), strict=False)  # "hl" only where there is a third product
    ]
    gate = make("gate", r"a = \sigma(C_{7\times7}(P))", "paper D, eq. 9", "places", steps.a[:, 0])
    return [*maps, gate]


_SVD_PARTS = {"x": "the channel", "h": "fast waves", "l": "slow waves"}


def _read_angle(_module: AngleAttention, steps: AngleSteps, make: Make) -> list[AttentionMap]:
    """The weight of each place, the angle that won there, and how strongly it answered."""
    return [
        make(
            "spatial map",
            r"a = \sigma(f^{7\times7}[\mathrm{avg}\,R;\,\max R]),\quad R_{n,k} = w_k(\theta_n) * x",
            "paper A; how kernels turn is our choice",
            "places",
            steps.a[:, 0],
        ),
        make(
            "angle that won",
            r"\theta_{n^*},\quad n^* = \arg\max_n \max_k R_{n,k}",
            "paper A; our reading",
            "places",
            steps.angle,
            unit="degrees, counter-clockwise",
            limits=(0.0, 360.0),
            weighs=False,
        ),
        make(
            "answer at that angle",
            r"\max_{n,k} R_{n,k}",
            "paper A; our reading",
            "places",
            steps.maximum[:, 0],
            unit="response of a kernel",
            limits=(None, None),
            weighs=False,
        ),
    ]


def _read_transformer(
    _module: TransformerBlock, steps: TransformerSteps, make: Make, grid: tuple[int, int]
) -> list[AttentionMap]:
    """How much of all attention each place receives: by head, and rolled out with the identity beside it."""
    maps = [
        make(
            f"head {number}",
            r"\frac{1}{N}\sum_i A_{ij},\quad A = \mathrm{softmax}(q k^\top / \sqrt{d})",
            "Vaswani et al. 2017, eq. 1; the mean over queries is ours",
            "places",
            A.mean(1).unflatten(1, grid),
            unit="share of the attention",
            pairs=A,
        )
        for number, A in enumerate(steps.attention.unbind(1), start=1)  # (B, N, N) each
    ]
    together = rollout([steps.attention])
    everything = make(
        "rollout of this block",
        r"\frac{1}{N}\sum_i \tilde{A}_{ij},\quad \tilde{A} = \frac{1}{2}(\bar{A} + I)",
        "Abnar and Zuidema 2020, section 3; the mean over queries is ours",
        "places",
        together.mean(1).unflatten(1, grid),
        unit="share of the attention",
        pairs=together,
    )
    return [*maps, everything]


# A new kind of attention is a reader (module, steps, make) → maps and a line here.
_READERS: dict[type[nn.Module], Callable[..., list[AttentionMap]]] = {
    CBAM: _read_cbam,
    BAM: _read_bam,
    SVDAttention: _read_svd,
    AngleAttention: _read_angle,
    TransformerBlock: _read_transformer,
}


def _grid(x: Tensor, grid: tuple[int, int] | None, tokens: int) -> tuple[int, int]:
    """Height and width of the map that the tokens were; of a picture that is not square only the caller knows it."""
    side = isqrt(tokens)
    if grid is None and (side * side != tokens or x.shape[-2] != x.shape[-1]):
        raise ValueError(
            f"grid=None: {tokens} tokens of a picture {x.shape[-2]} × {x.shape[-1]}. Give (h, w) of the map they were."
        )
    height, width = grid or (side, side)
    if height * width != tokens:
        raise ValueError(f"grid={grid}: the transformer has {tokens} tokens, so h · w has to be {tokens}")
    return height, width


def rollout(attentions: Sequence[Float[Tensor, "B _ N N"]]) -> Float[Tensor, "B N N"]:
    """Attention through a chain of transformer blocks (Abnar and Zuidema 2020, section 3): Ã_L ⋯ Ã_2 Ã_1.

    Ã = (Ā + I) / 2 with the mean Ā over heads; I stands for the way beside the attention. How much the chain's mean
    token takes from each place is `.mean(1)`, (B, N). What values and feed-forward parts do is left out, so this
    follows where tokens mix and not what the mixture is used for.

    Args:
        attentions: of each block, first to last, rows summing to 1, as `TransformerSteps.attention`.

    Returns:
        How much each token of the last block (row) comes from each token of the first (column), each row summing to 1.

    Raises:
        ValueError: no block, blocks of different sizes, or rows that do not sum to 1.
    """
    shapes = {tuple(A.shape) for A in attentions}
    if len({(shape[0], shape[-1]) for shape in shapes}) != 1 or any(len(s) != 4 or s[-1] != s[-2] for s in shapes):
        raise ValueError(
            f"attentions has shapes {sorted(shapes)}. Give one or more (B, heads, N, N), all with the same B and N."
        )
    together = torch.eye(attentions[0].shape[-1], dtype=attentions[0].dtype, device=attentions[0].device)
    for A in attentions:
        if not bool(((A.sum(-1) - 1).abs() < 1e-3).all()):
            raise ValueError("attentions: rows have to sum to 1. Give what stands behind the softmax.")
        identity = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
        together = (A.mean(1) + identity) / 2 @ together  # (B, N, N)
    return together


# ---- what a module is worth


@dataclass(frozen=True, eq=False)
class SwitchedOff:
    """What a network answers with and without some of its attention.

    Attributes:
        layers: names of the modules that were switched off together.
        logits: of the network as it is, (B, K).
        without: with these modules returning their input, (B, K).
    """

    layers: tuple[str, ...]
    logits: Tensor
    without: Tensor

    @property
    def change(self) -> Tensor:
        """without − logits, (B, K): above 0 where the class gains when the modules are off."""
        return self.without - self.logits


def switch_off(model: nn.Module, x: Float[Tensor, "B C_in H W"], layers: str | Sequence[str]) -> SwitchedOff:
    """The logits with and without one or several attention modules, switched off together.

    A module that is off returns its input, as with `enabled = False`; here that holds for the caller's own forward
    pass only, so that predictions of a shared network that run beside it are not disturbed. The rest was trained with
    the module in place: the change says what the module does in this network, not what attention is worth in general.

    Args:
        model, x: as for `steps_of`.
        layers: names of attention modules.

    Raises:
        ValueError: no layer, or the network gives no finite logits (B, K); otherwise as for `steps_of`.
    """
    names = _checked_layers(model, layers)
    if not names:
        raise ValueError(f"layers=() is empty. {_on_offer(model)}")
    with borrowed(model):
        return SwitchedOff(names, _logits(model, x), _logits(model, x, names))


def switch_off_each(
    model: nn.Module, x: Float[Tensor, "B C_in H W"], layers: Sequence[str] | None = None
) -> tuple[SwitchedOff, ...]:
    """One row for each attention module, switched off alone, and where there are several, a last row with all of them.

    Args:
        model, x: as for `steps_of`.
        layers: names of attention modules; None: all. A network without attention has no row.

    Raises:
        ValueError: as for `switch_off`.
    """
    names = attention_modules(model) if layers is None else _checked_layers(model, layers)
    rows = [(name,) for name in names] + ([names] if len(names) > 1 else [])
    if not rows:
        return ()
    with borrowed(model):
        logits = _logits(model, x)
        return tuple(SwitchedOff(row, logits, _logits(model, x, row)) for row in rows)


def _logits(model: nn.Module, x: Tensor, off: Sequence[str] = ()) -> Tensor:
    """Logits (B, K), with the modules named in `off` returning their input in this thread's pass."""
    require_pictures(x)
    thread = get_ident()

    def return_input(_module: nn.Module, inputs: tuple, _output: Tensor) -> Tensor | None:
        return inputs[0] if get_ident() == thread else None

    with borrowed(model), torch.no_grad(), ExitStack() as hooks:
        for name in off:
            hooks.enter_context(model.get_submodule(name).register_forward_hook(return_input))
        return require_logits(model(x), x)


# ---- class branches


@dataclass(frozen=True, eq=False)
class BranchShares:
    """What the branches of a network with one branch a class give to its logits; K classes.

    Attributes:
        strength: length (L2 norm) of each branch's output, at least 0, (B, K).
        logits: of the network as it is, (B, K).
        without: logits (last axis) when the output of one branch (second axis) is set to zero, (B, K, K).
    """

    strength: Tensor
    logits: Tensor
    without: Tensor

    @property
    def change(self) -> Tensor:
        """without − logits, (B, K branches, K logits): below 0 where the branch speaks for the class."""
        return self.without - self.logits[:, None]

    @property
    def own(self) -> Tensor:
        """The change of a branch's own class, (B, K)."""
        return self.change.diagonal(dim1=1, dim2=2)


def class_branches(model: nn.Module, x: Float[Tensor, "B C_in H W"]) -> BranchShares:
    """What each class branch of paper B's networks contributes: the logits when it alone says nothing.

    Nothing ties branch k to logit k but training, because the fusion layer reads all branches. Whether a branch is
    its class's own is seen in `change`: then the diagonal is the largest of its row.

    Args:
        model: a network with `class_branches(x)` → (B, K, width), outputs that are 0 for "nothing", and `fuse(outputs)`
            → logits (B, K).
        x: pictures, prepared as the network expects them.

    Raises:
        ValueError: the network has no class branches, or `x` holds NaN.
    """
    if not all(callable(getattr(model, name, None)) for name in ("class_branches", "fuse")):
        raise ValueError(f"model: {type(model).__name__} has no class branches. Choose one of paper B's networks.")
    require_pictures(x)
    with borrowed(model), torch.no_grad():
        outputs = model.class_branches(x)  # (B, K, width)
        K = outputs.shape[1]
        rest = 1 - torch.eye(K, dtype=outputs.dtype, device=outputs.device)  # row k drops branch k
        silenced = outputs[:, None] * rest[:, :, None]  # (B, K dropped, K, width)
        without = model.fuse(silenced.flatten(0, 1)).unflatten(0, (-1, K))  # (B, K, K)
        return BranchShares(outputs.norm(dim=-1), model.fuse(outputs), without)


# ---- attention is not explanation


def correlation_with_cams(
    maps: Sequence[Float[Tensor, "B _ _"]], cams: Float[Tensor, "B ... h w"]
) -> Float[Tensor, "maps B ..."]:
    """Rank correlation (Spearman) of each map of attention with each class activation map of the same picture.

    Attention has one map for all classes, a class activation map belongs to one. If attention were the explanation, it
    would agree with the map of the class that is answered, and with that more than with the others (after Jain and
    Wallace 2019). Positions of one map depend on each other, so no p-value goes with these numbers.

    The coarser of two maps is enlarged to the finer one's size (bilinear, half-pixel centres, each side by itself).
    Ranks are used because the two kinds of map have different units; equal values share their mean rank.

    Args:
        maps: maps of attention (B, h', w') that say how much a place counts (`AttentionMap.spatial`), sizes may
            differ. Not angles: their ranks mean nothing.
        cams: (B, C, h, w), or (B, M, C, h, w) as from `cam.atlas`.

    Returns:
        Correlations in −1..1, float64 on the CPU: (number of maps, B, C) or (number of maps, B, M, C). 1: the same
        order of places; 0: none in common; −1: the reverse. NaN where one of the two maps is constant up to rounding
        (its range is under a millionth of its largest size), because it then has no order.

    Raises:
        ValueError: shapes that do not belong together, no map, NaN or infinite values.
    """
    if cams.ndim < 3 or 0 in cams.shape:
        raise ValueError(f"cams has shape {tuple(cams.shape)}. Give (B, C, h, w) or (B, M, C, h, w).")
    if not maps:
        raise ValueError("maps is empty. Give at least one map of attention (B, h, w).")
    require_finite(cams, "cams")
    found = []
    for number, attention in enumerate(maps):
        if attention.ndim != 3 or len(attention) != len(cams) or 0 in attention.shape:
            shape = tuple(attention.shape)
            raise ValueError(f"maps[{number}] has shape {shape}. Give (B, h, w) with B = {len(cams)}, as in cams.")
        require_finite(attention, f"maps[{number}]")
        size = tuple(max(sides) for sides in zip(attention.shape[-2:], cams.shape[-2:], strict=True))
        found.append(_spearman(_enlarged(attention[:, None], size), _enlarged(cams.flatten(1, -3), size)))
    return torch.stack(found).unflatten(2, cams.shape[1:-2])


def _enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, R, h, w) → (B, R, P), P = the positions of `size`; in float32, so that a plateau stays one."""
    finer = F.interpolate(
        maps.detach().cpu().double(), size, mode="bilinear", align_corners=False
    )  # off by 1e-16 on a plateau,
    return finer.flatten(2).float()  # which this rounds away: ties must not become an order


def _spearman(one: Tensor, others: Tensor) -> Tensor:
    """Pearson's correlation of ranks: (B, 1, P), (B, R, P) → (B, R); NaN for a map without order."""
    a, b = (_centred_ranks(maps) for maps in (one, others))
    return ((a * b).sum(-1) / (a.square().sum(-1) * b.square().sum(-1)).sqrt()).clamp(-1, 1)


def _centred_ranks(maps: Tensor) -> Tensor:
    """Ranks with mean 0 of the last axis, equal values sharing one; all 0 where rounding is all that differs."""
    ranks = torch.from_numpy(rankdata(maps.numpy(), axis=-1))
    has_order = maps.amax(-1, keepdim=True) - maps.amin(-1, keepdim=True) > 1e-6 * maps.abs().amax(-1, keepdim=True)
    return (ranks - ranks.mean(-1, keepdim=True)) * has_order


# ---- what paper D says of memory


@dataclass(frozen=True)
class MemoryAccount:
    """Bytes of float32 that comparing two maps of one channel takes, in three readings of paper D's section 3.

    Attributes:
        side, batch: the maps are side × side, `batch` of them.
        kronecker_picture: the Kronecker product of eq. 4 for one picture, (side²)² numbers.
        kronecker_batch: the same for each picture of the batch.
        kronecker_over_batch: taken over the batch as well, (batch · side²)² numbers. This is the paper's 600.25.
        outer_picture: the outer product of the singular values instead (eq. 8), side² numbers.
        outer_batch: the same for each picture of the batch.
    """

    side: int
    batch: int
    kronecker_picture: int
    kronecker_batch: int
    kronecker_over_batch: int
    outer_picture: int
    outer_batch: int


def memory_account(side: int = 112, batch: int = 32) -> MemoryAccount:
    """What the two products cost; raises ValueError where `side` or `batch` is below 1."""
    if side < 1 or batch < 1:
        raise ValueError(f"side={side}, batch={batch}: both must be at least 1")
    places = side**2
    return MemoryAccount(
        side=side,
        batch=batch,
        kronecker_picture=4 * places**2,
        kronecker_batch=4 * places**2 * batch,
        kronecker_over_batch=4 * (places * batch) ** 2,
        outer_picture=4 * places,
        outer_batch=4 * places * batch,
    )
