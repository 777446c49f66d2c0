"""The autoregressive model: phones and a voice's semantic tokens in, the next token's logits out.

`prefill` reads a whole utterance's input, `step` one token a row; both write their keys and
values into a `T2sState` and return the logits of the next token.  Weights are shared, states
belong to utterances.  Knows nothing of sampling, text or audio.  One thread steps a model; two
threads may step it with different states.

The sequence of a row is [phones | tokens].  Phones see all phones and no token; a token sees all
phones and the tokens up to itself.  Positions of phones and of tokens are counted apart, both
from 0.  24 post-norm layers with ReLU, no norm at the end, no bias at the output.  Hence the law:
reading tokens in any split of prefill and steps gives the logits of reading them at once, and a
row's logits do not depend on its neighbours.

Shapes: B rows, T phones (padded), S semantic tokens (padded), N = T + S or 1, C hidden, H heads,
D head dim, V vocabulary, L layers, W slots in the window.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tts.models import weights
from tts.modules.int8 import Int8Linear
from tts.modules.kv_cache import KvCache
from tts.modules.positions import sine_table
from tts.spec import T2sSpec

MAX_POSITIONS = 4096
"""Phones of an utterance, and tokens of prompt and utterance (164 s), at most."""

_NAMES = {
    "phones.": "ar_text_embedding.word_embeddings.",
    "bert.": "bert_proj.",
    "phone_gain": "ar_text_position.alpha",
    "codes.": "ar_audio_embedding.word_embeddings.",
    "code_gain": "ar_audio_position.alpha",
    "head.": "ar_predict_layer.",
}
"""Our names of parameters, and the checkpoint's."""

_LAYER_NAMES = {
    "qkv.weight": "self_attn.in_proj_weight",
    "qkv.bias": "self_attn.in_proj_bias",
    "out.": "self_attn.out_proj.",
    "norm1.": "norm1.",
    "up.": "linear1.",
    "down.": "linear2.",
    "norm2.": "norm2.",
}
"""The same within `layers.N.` and `h.layers.N.`."""

_NOTHING = r"(?!)"

Attend = Callable[[int, Tensor], Tensor]
"""See `T2s.read`."""


@dataclass(frozen=True, slots=True)
class T2sInput:
    """What is known of some utterances before the first token; one row each, padded behind."""

    phones: Tensor
    """[B, T] int64: ids of the reference's phones and then of the text's."""
    bert: Tensor
    """[B, F, T]: text features of those phones; zero where a language has none."""
    codes: Tensor
    """[B, S] int64: the reference's semantic tokens; S = 0 without a reference."""
    phone_lengths: Tensor
    """[B] int64, at least 1."""
    code_lengths: Tensor
    """[B] int64."""

    @classmethod
    def of(cls, phones: Tensor, bert: Tensor, codes: Tensor | None = None) -> "T2sInput":
        """One utterance: phones [T], bert [F, T], codes [S] or None without a reference.

        Raises ValueError for shapes that do not fit together.
        """
        codes = phones.new_zeros(0) if codes is None else codes
        if phones.ndim != 1 or codes.ndim != 1 or len(phones) == 0:
            raise ValueError(
                f"phones {list(phones.shape)} and codes {list(codes.shape)} must be one row each, "
                "with at least one phone"
            )
        if bert.ndim != 2 or bert.shape[1] != len(phones):
            raise ValueError(f"bert {list(bert.shape)} must have a column for {len(phones)} phones")
        lengths = [phones.new_tensor([len(row)], dtype=torch.int64) for row in (phones, codes)]
        return cls(phones.long()[None], bert[None], codes.long()[None], lengths[0], lengths[1])

    @classmethod
    def stack(cls, inputs: Sequence["T2sInput"]) -> "T2sInput":
        """Several utterances as the rows of one input."""
        phones = max(one.phones.shape[1] for one in inputs)
        codes = max(one.codes.shape[1] for one in inputs)
        return cls(
            torch.cat([F.pad(one.phones, (0, phones - one.phones.shape[1])) for one in inputs]),
            torch.cat([F.pad(one.bert, (0, phones - one.bert.shape[2])) for one in inputs]),
            torch.cat([F.pad(one.codes, (0, codes - one.codes.shape[1])) for one in inputs]),
            torch.cat([one.phone_lengths for one in inputs]),
            torch.cat([one.code_lengths for one in inputs]),
        )


@dataclass(slots=True)
class T2sState:
    """What the model remembers of some utterances.  Written in place, never rebound."""

    cache: KvCache
    codes: Tensor
    """[B] int64: semantic tokens read so far, the reference's included."""

    def rows(self, first: int, last: int) -> "T2sState":
        """Rows first..last-1 as a state of their own over the same memory."""
        return T2sState(self.cache.rows(first, last), self.codes[first:last])


class Layer(nn.Module):
    """A post-norm transformer layer: x [B, N, C] -> [B, N, C]."""

    def __init__(self, hidden: int, ffn: int) -> None:
        super().__init__()
        self.qkv: nn.Module = nn.Linear(hidden, 3 * hidden)
        self.out: nn.Module = nn.Linear(hidden, hidden)
        self.norm1 = nn.LayerNorm(hidden)
        self.up: nn.Module = nn.Linear(hidden, ffn)
        self.down: nn.Module = nn.Linear(ffn, hidden)
        self.norm2 = nn.LayerNorm(hidden)

    def after(self, x: Tensor, mixed: Tensor) -> Tensor:
        """The rest of the layer, for places whose attention gave `mixed` [B, N, C]."""
        x = self.norm1(self.out(mixed).add_(x))
        x = self.norm2(self.down(F.relu(self.up(x))).add_(x))
        return x

    def quantise(self) -> None:
        """Turn the linear layers into int8 ones."""
        for name in ("qkv", "out", "up", "down"):
            setattr(self, name, Int8Linear(getattr(self, name), positive=name == "down"))


class T2s(nn.Module):
    """The model of one checkpoint."""

    table: Tensor

    def __init__(self, spec: T2sSpec) -> None:
        super().__init__()
        self.spec = spec
        self.phones = nn.Embedding(spec.phones, spec.hidden)
        self.bert = nn.Linear(spec.bert, spec.hidden)
        self.codes = nn.Embedding(spec.vocabulary, spec.hidden)
        self.phone_gain = nn.Parameter(torch.ones(1))
        self.code_gain = nn.Parameter(torch.ones(1))
        self.layers = nn.ModuleList(Layer(spec.hidden, spec.ffn) for _ in range(spec.layers))
        self.head = nn.Linear(spec.hidden, spec.vocabulary, bias=False)
        self.register_buffer("table", sine_table(MAX_POSITIONS, spec.hidden), persistent=False)

    @classmethod
    def load(
        cls,
        spec: T2sSpec,
        tensors: weights.Tensors,
        *,
        dtype: torch.dtype,
        device: torch.device,
        int8: bool = False,
    ) -> "T2s":
        """The model with a checkpoint's tensors, under their names without "model.".

        `dtype` is float32, bfloat16 or float16; logits are float32 always.  `int8` keeps the
        weights of the layers, nine tenths of all, as int8: float32 on a CPU only, or ValueError.
        Raises `CheckpointError` that names a tensor that is missing, unknown or of a wrong shape.
        """
        if int8 and (dtype != torch.float32 or device.type != "cpu"):
            raise ValueError(f"int8 with {dtype} on {device}: only float32 on a CPU is allowed")
        with weights.hollow():
            model = cls(spec)
        renamed = dict(_NAMES)
        for n in range(spec.layers):
            renamed |= {f"layers.{n}.{a}": f"h.layers.{n}.{b}" for a, b in _LAYER_NAMES.items()}
        weights.load(model, tensors, dtype=dtype, device=device, renamed=renamed, unused=_NOTHING)
        model.table = model.table.to(device=device, dtype=dtype)
        if int8:
            for layer in cast(Sequence[Layer], model.layers):
                layer.quantise()
        return model

    @property
    def device(self) -> torch.device:
        """Where the weights are, and where inputs must be."""
        return self.table.device

    def init_state(self, rows: int, capacity: int, *, poisoned: bool = False) -> T2sState:
        """A state for so many utterances of up to `capacity` phones and tokens each.

        `poisoned` fills unused slots with NaN before every step, to prove that none is used.
        """
        cache = KvCache.empty(
            self.spec.layers,
            rows,
            self.spec.heads,
            capacity,
            self.spec.hidden // self.spec.heads,
            device=self.device,
            dtype=self.table.dtype,
            poisoned=poisoned,
        )
        return T2sState(cache, torch.zeros(rows, dtype=torch.int64, device=self.device))

    @torch.inference_mode()
    def prefill(self, inputs: T2sInput, state: T2sState) -> Tensor:
        """Begin the utterances: logits [B, V] float32 of their first tokens.

        The state's rows are overwritten, whatever they held.  Raises ValueError when the input
        does not fit the model or the state.
        """
        self._check(inputs, state)
        phones, codes = inputs.phones.shape[1], inputs.codes.shape[1]
        x = self.phones(inputs.phones) + self.bert(inputs.bert.to(self.table.dtype).mT)
        x = x + self.phone_gain * self.table[:phones]
        y = self.codes(inputs.codes) + self.code_gain * self.table[:codes]
        lengths = inputs.phone_lengths + inputs.code_lengths
        order = _packing(inputs)  # [B, N]
        x = torch.cat([x, y], dim=1).gather(1, order.unsqueeze(2).expand(-1, -1, self.spec.hidden))
        mask = _prefill_mask(inputs, x.dtype)
        *others, last = cast(Sequence[Layer], self.layers)
        for number, layer in enumerate(others):
            queries, pairs = self._parts(layer.qkv(x))
            state.cache.put_prefix(number, pairs)
            x = layer.after(x, _attend(queries, pairs, mask))
        # Nothing comes after the last layer but the logits of each row's last place.
        queries, pairs = self._parts(last.qkv(x))
        state.cache.put_prefix(len(others), pairs)
        rows = torch.arange(len(lengths), device=self.device)
        ends = lengths - 1
        mixed = _attend(queries[rows, :, ends, None], pairs, mask[rows, :, ends, None])
        x = last.after(x[rows, ends], mixed[:, 0])
        state.cache.begin(lengths, phones + codes)
        state.codes.copy_(inputs.code_lengths)
        logits: Tensor = self.head(x)
        return logits.float()

    @torch.inference_mode()
    def step(
        self,
        tokens: Tensor,
        state: T2sState,
        window: int | None = None,
        *,
        active: Tensor | None = None,
    ) -> Tensor:
        """Read one token a row: tokens [B] int64 -> logits [B, V] float32 of the next ones.

        Only the first `window` slots are looked at (all by default): a number above every row's
        length.  That, and that each row has a free slot, is the caller's to know; looking it up
        would make the host wait for the device.  Where `active` [B] bool is false a row stays as
        it is, but for an unused slot, and its logits mean nothing.
        """
        cache = state.cache
        window = cache.capacity if window is None else window
        cache.open(window)
        rows = torch.arange(len(tokens), device=self.device)
        mask = cache.mask(window)

        def attend(layer: int, qkv: Tensor) -> Tensor:
            queries, fresh = self._parts(qkv.unsqueeze(1))
            pairs = cache.append(layer, fresh, rows=rows, window=window)
            return _attend(queries, pairs, mask)[:, 0]

        logits = self.read(tokens, state.codes, attend)
        moved = 1 if active is None else active.long()
        cache.advance(moved)
        state.codes += moved
        return logits

    def read(self, tokens: Tensor, places: Tensor, attend: Attend) -> Tensor:
        """One token a row through all layers: tokens [B] at `places` [B] -> logits [B, V] float32.

        The memory of the rows is `attend`'s: given a layer's number and its queries, keys and
        values [B, 3C], it stores the keys and values and returns the attention's outcome [B, C].
        """
        x = self.codes(tokens) + self.code_gain * self.table[places]  # [B, C]
        for number, layer in enumerate(cast(Sequence[Layer], self.layers)):
            x = layer.after(x, attend(number, layer.qkv(x)))
        logits: Tensor = self.head(x)
        return logits.float()

    @torch.inference_mode()
    def step_rows(
        self, tokens: Tensor, state: T2sState, rows: Sequence[int], lengths: Sequence[int]
    ) -> Tensor:
        """`step` for some rows of a state, each of which attends by itself: a CPU's way.

        tokens [B] int64 are read by `rows`, whose `lengths` are known here; nothing else of the
        state changes.  A row looks at its own positions and no further: no window, no mask, and
        its attention is to the last bit what it is without the others.
        """
        index = torch.tensor(rows, device=self.device)
        views = [state.cache.open_row(*one) for one in zip(rows, lengths, strict=True)]
        heads, size = self.spec.heads, self.spec.hidden // self.spec.heads
        scale, nothing = size**-0.5, self.table[0, :1]
        # Every layer's outcome in turn, made in place: [B, C], and of each row [H, 1, D].
        mixed = self.table.new_empty(len(rows), self.spec.hidden)
        outcomes = mixed.view(len(rows), heads, 1, size).unbind()

        def attend(layer: int, qkv: Tensor) -> Tensor:
            parts = iter(qkv.view(-1, heads, 1, size).unbind())
            for outcome, of_layers in zip(outcomes, views, strict=True):
                key_slot, value_slot, keys, values = of_layers[layer]
                query = next(parts)
                key_slot.copy_(next(parts))
                value_slot.copy_(next(parts))
                scores = torch.baddbmm(nothing, query, keys, beta=0, alpha=scale)
                torch.bmm(scores.softmax(-1), values, out=outcome)
            return mixed

        logits = self.read(tokens, state.codes[index], attend)
        state.cache.lengths[index] += 1
        state.codes[index] += 1
        return logits

    def _parts(self, qkv: Tensor) -> tuple[Tensor, Tensor]:
        """Queries [B, H, N, D], and keys and values [B, 2, H, N, D], of [B, N, 3C]."""
        rows, length, _ = qkv.shape
        parts = qkv.view(rows, length, 3, self.spec.heads, -1).permute(0, 2, 3, 1, 4)
        return parts[:, 0], parts[:, 1:]

    def _check(self, inputs: T2sInput, state: T2sState) -> None:
        rows, phones = inputs.phones.shape
        codes = inputs.codes.shape[1]
        if inputs.bert.shape != (rows, self.spec.bert, phones):
            raise ValueError(
                f"bert is {list(inputs.bert.shape)}, not {[rows, self.spec.bert, phones]}"
            )
        if len(state.codes) != rows:
            raise ValueError(f"the state has {len(state.codes)} rows, the input {rows}")
        if phones > MAX_POSITIONS or codes > MAX_POSITIONS:
            raise ValueError(
                f"{phones} phones and {codes} semantic tokens: the model takes {MAX_POSITIONS} of "
                "each"
            )
        if phones + codes > state.cache.capacity:
            raise ValueError(
                f"{phones} phones and {codes} semantic tokens do not fit into "
                f"{state.cache.capacity} slots"
            )


def _packing(inputs: T2sInput) -> Tensor:
    """For each place of a row, which of [phones | codes] stands there: [B, N] int64.

    Padding between phones and codes moves to the end of the row.
    """
    padded = inputs.phones.shape[1]
    places = torch.arange(padded + inputs.codes.shape[1], device=inputs.phones.device)
    lengths = inputs.phone_lengths.unsqueeze(1)
    moved = torch.where(places < lengths, places, places + padded - lengths)
    return moved.clamp_max(len(places) - 1)


def _prefill_mask(inputs: T2sInput, dtype: torch.dtype) -> Tensor:
    """What to add to the scores of each place for each place it may see: [B, 1, N, N], 0 or -inf.

    Every place sees at least the first phone.
    """
    length = inputs.phones.shape[1] + inputs.codes.shape[1]
    places = torch.arange(length, device=inputs.phones.device)
    phones = inputs.phone_lengths[:, None, None]  # [B, 1, 1]
    query, key = places[:, None], places[None, :]
    seen = (key < phones) | ((query >= phones) & (key <= query))
    mask = torch.zeros(seen.shape, device=seen.device, dtype=dtype)
    return mask.masked_fill_(~seen, -torch.inf).unsqueeze(1)


def _attend(queries: Tensor, pairs: Tensor, mask: Tensor) -> Tensor:
    """Queries [B, H, N, D] over keys and values [B, 2, H, W, D] -> [B, N, C]."""
    mixed = F.scaled_dot_product_attention(queries, pairs[:, 0], pairs[:, 1], attn_mask=mask)
    return mixed.transpose(1, 2).flatten(2)
