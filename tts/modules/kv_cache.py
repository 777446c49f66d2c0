"""Keys and values of every layer, for several utterances, in one buffer that never moves.

In: the keys and values of new positions.  Out: views of the slots to attend to, and the mask over
those that no position fills.  Knows nothing of layers' weights, tokens or sampling.  Belongs to
the thread that steps the model.

The law: what unused slots hold never matters.  Attention multiplies an unused value by zero, and
zero times NaN is NaN, so a mask alone does not keep it: slots are wiped when the window first
reaches them (`open`), and behind the window nothing is read.

Shapes: L layers, B rows (one utterance each), H heads, S slots, W slots in the window, D head
dim, P positions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(slots=True)
class KvCache:
    """One row for each utterance; a row's positions fill its slots from the first on, gapless."""

    slots: Tensor
    """[L, B, 2, H, S, D]: keys at 0, values at 1."""
    lengths: Tensor
    """[B] int64: how many slots of each row are in use."""
    opened: int
    """In every row, slots below this one hold finite numbers."""
    poisoned: bool
    """Debugging: before every step unused slots are filled with NaN."""

    @classmethod
    def empty(
        cls,
        layers: int,
        rows: int,
        heads: int,
        capacity: int,
        head_dim: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
        poisoned: bool,
    ) -> "KvCache":
        """A cache of unused slots."""
        # What is never touched takes no memory on a CPU, however large it is.
        slots = torch.empty(layers, rows, 2, heads, capacity, head_dim, device=device, dtype=dtype)
        lengths = torch.zeros(rows, dtype=torch.int64, device=device)
        cache = cls(slots, lengths, 0, poisoned)
        if poisoned:
            cache.poison()
        return cache

    @property
    def capacity(self) -> int:
        """Slots in a row."""
        return self.slots.shape[4]

    def rows(self, first: int, last: int) -> "KvCache":
        """Rows first..last-1 as a cache of their own over the same memory."""
        return KvCache(
            self.slots[:, first:last], self.lengths[first:last], self.opened, self.poisoned
        )

    def put_prefix(self, layer: int, pairs: Tensor) -> Tensor:
        """Store the first positions of every row: pairs [B, 2, H, P, D], given back as they are."""
        self.slots[layer, ..., : pairs.shape[3], :] = pairs
        return pairs

    def begin(self, lengths: Tensor, prefix: int) -> None:
        """Make the rows hold `lengths` [B] positions, out of a prefix stored by `put_prefix`.

        A row may have been another utterance's: what that one left behind the prefix is wiped.
        """
        self.slots[..., prefix : self.opened, :] = 0
        self.opened = max(self.opened, prefix)
        self.lengths.copy_(lengths)
        if self.poisoned:
            self.poison()

    def open(self, window: int) -> None:
        """Let the next step look at slots below `window`; call it outside a captured region."""
        if self.poisoned:
            self.poison()
        if window > self.opened:
            fresh = self.slots[..., self.opened : window, :]
            fresh.masked_fill_(self._unused(self.opened, window)[:, None, None, :, None], 0)
            self.opened = window

    def append(self, layer: int, pairs: Tensor, *, rows: Tensor, window: int) -> Tensor:
        """Store one position a row and give the window back: [B, 2, H, 1, D] -> [B, 2, H, W, D].

        `rows` is 0..B-1.  `lengths` stays; `advance` moves it when every layer has stored.
        """
        store = self.slots[layer]
        store[rows, :, :, self.lengths] = pairs[:, :, :, 0]
        return store[:, :, :, :window]

    def open_row(self, row: int, length: int) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Views for storing position `length` of one row, and then reading all up to it.

        For each layer: where its key goes and where its value, [H, 1, D], and the P = length + 1
        keys, [H, D, P], and values, [H, P, D].  Unused slots are not among them.
        """
        if self.poisoned:
            self.rows(row, row + 1).poison()
        used = self.slots[:, row, :, :, : length + 1]
        fresh = used[:, :, :, length:]
        views = (fresh[:, 0], fresh[:, 1], used[:, 0].mT, used[:, 1])
        return list(zip(*(view.unbind() for view in views), strict=True))

    def mask(self, window: int) -> Tensor:
        """What to add to attention scores while a position is appended: [B, 1, 1, W], 0 or -inf."""
        slots = torch.arange(window, device=self.lengths.device)
        seen = slots <= self.lengths.unsqueeze(1)
        mask = torch.zeros(seen.shape, device=self.slots.device, dtype=self.slots.dtype)
        return mask.masked_fill_(~seen, -torch.inf)[:, None, None, :]

    def advance(self, by: int | Tensor = 1) -> None:
        """Count the position that every layer has stored: for all rows, or where `by` [B] is 1."""
        self.lengths += by

    def poison(self) -> None:
        """Fill every unused slot with NaN; what is read of them must be opened again."""
        unused = self._unused(0, self.capacity)
        self.slots.masked_fill_(unused[:, None, None, :, None], torch.nan)
        self.opened = 0

    def _unused(self, first: int, last: int) -> Tensor:
        """Which of the slots first..last-1 hold no position: [B, last - first] bool."""
        slots = torch.arange(first, last, device=self.lengths.device)
        return slots >= self.lengths.unsqueeze(1)
