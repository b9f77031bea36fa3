"""Trains all members of a model together: one tensor of parameters, one step for all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import get_args

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nestmat.models.base import ScaleModel
from nestmat.models.specification import PenaltyName, Training
from nestmat.training.batches import RowSource

LOGGED_EPOCHS = 100
# Stopped members leave the batch in groups: taking them out copies the batch.
_CHECK_EVERY = 20


@dataclass
class Curves:
    """Learning curves of some members.

    Attributes:
        terms: Names of the loss terms, ``total`` last.
        records: Epoch, split, and unweighted terms with the weighted total, (terms, members).
        stopped: Last epoch of each member, (members,).
    """

    terms: list[str] = field(default_factory=list)
    records: list[tuple[int, str, np.ndarray]] = field(default_factory=list)
    stopped: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def frame(self, members: Sequence[int] | np.ndarray) -> pd.DataFrame:
        """Rows of the history table; ``members`` are their numbers."""
        members = np.asarray(members)
        parts = []
        for epoch, split, values in self.records:
            term, member = np.nonzero(np.isfinite(values) & (epoch <= self.stopped))
            parts.append(
                pd.DataFrame(
                    {
                        "member": members[member].astype(np.int32),
                        "epoch": np.int32(epoch),
                        "split": split,
                        "term": np.array(self.terms, dtype=object)[term],
                        "loss": values[term, member].astype(np.float64),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)


def pick_device(name: str = "auto") -> torch.device:
    """The device by name; ``auto`` is CUDA where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


class Adam:
    """Adam with decoupled weight decay on one tensor (Kingma & Ba 2015; Loshchilov & Hutter 2019).

    The same numbers as `torch.optim.AdamW`; half its time on a small tensor, and members can leave.

    Args:
        flat: Parameters, (members, parameters).
        rate: Learning rate; may be changed between steps.
        decay: Weight decay.
        betas: Decay of the means of the gradient and of its square.
    """

    def __init__(
        self, flat: Tensor, rate: float, decay: float = 0.0, betas: tuple[float, float] = (0.9, 0.999)
    ):
        self.rate, self.decay, self.betas = rate, decay, betas
        self.count = 0
        self.first, self.second = torch.zeros_like(flat), torch.zeros_like(flat)

    @torch.no_grad()
    def step(self, flat: Tensor, gradient: Tensor) -> None:
        """Move ``flat`` in place."""
        betas = self.betas
        self.count += 1
        if self.decay:
            flat.mul_(1 - self.rate * self.decay)
        self.first.lerp_(gradient, 1 - betas[0])
        self.second.mul_(betas[1]).addcmul_(gradient, gradient, value=1 - betas[1])
        scale = self.second.sqrt().div_(math.sqrt(1 - betas[1] ** self.count)).add_(1e-8)
        flat.addcdiv_(self.first, scale, value=-self.rate / (1 - betas[0] ** self.count))

    def keep(self, members: Tensor) -> None:
        """Forget all but some of the members."""
        self.first, self.second = self.first[members], self.second[members]


def learning_rate(training: Training, share: float, epoch: float) -> float:
    """Learning rate of an epoch.

    Args:
        training: Schedule and warm-up.
        share: Share of the epochs that is over.
        epoch: One epoch as a share of all.

    Example:
        >>> learning_rate(Training(learning_rate=0.1, schedule="cosine"), share=0.5, epoch=0.01)
        0.05
    """
    if share < training.warmup:
        return training.learning_rate * min(1.0, (share + epoch) / training.warmup)
    if training.schedule == "constant":
        return training.learning_rate
    share_of_decay = (share - training.warmup) / (1 - training.warmup)
    return training.learning_rate * 0.5 * (1 + math.cos(math.pi * share_of_decay))


def penalty_share(training: Training, share: float) -> float:
    """Share of their weight that penalties have when a share of the epochs is over."""
    start, end = training.penalty_warmup
    if start < share < end:
        return (share - start) / (end - start)
    return 1.0 if share >= end else 0.0


def _mean(total: Tensor, members: int) -> float:
    return total.item() / members


class Trainer:
    """Trains the members of one model.

    Args:
        model: The model; its ``flat`` holds the first weights and, after `fit`, the trained ones.
        training: Optimisation.
        keys: Random key of each member, (members,), int32.
        train: Rows that train.
        holdout: Rows of the training rows that decide when a member stops; only for ``stop: early``.
        validation: Rows that are only looked at, for the learning curves.
    """

    def __init__(
        self,
        model: ScaleModel,
        training: Training,
        keys: Tensor,
        train: RowSource,
        holdout: RowSource | None = None,
        validation: RowSource | None = None,
    ):
        self.model, self.training, self.keys, self.train = model, training, keys, train
        self.holdout = holdout if training.stop == "early" else None
        self.validation = validation
        self.terms = list(model.term_weights)
        weights = [model.term_weights[name] for name in self.terms]
        self.weights = torch.tensor(weights, device=model.flat.device)
        grows = [name in get_args(PenaltyName) for name in self.terms]
        self.grows = torch.tensor(grows, device=model.flat.device)
        chosen = [model.term_weights[t] * (t in model.selection_terms) for t in self.terms]
        self.selection = torch.tensor(chosen, device=model.flat.device)

    def fit(self, report: Callable[[int, Callable[[], float]], None] | None = None) -> Curves:
        """Train to the end, and leave the weights to keep in ``model.flat``.

        Args:
            report: Called after each epoch with its number and a function that returns the mean loss.

        Returns:
            The learning curves.
        """
        model, training, epochs = self.model, self.training, self.training.epochs
        logged = set(np.unique(np.linspace(1, epochs, min(LOGGED_EPOCHS, epochs)).round().astype(int)))
        curves = Curves([*self.terms, "total"], [], np.full(len(model.flat), epochs))
        self._start(model.flat.detach().clone())
        for epoch in range(1, epochs + 1):
            share = (epoch - 1) / epochs
            self.adam.rate = learning_rate(training, share, 1 / epochs)
            grown = penalty_share(training, share + 1 / epochs)
            self.step_weights = torch.where(self.grows, grown * self.weights, self.weights)
            for batch in self.train.batches(training.batch_size, self.keys, epoch):
                loss = self._step(batch)
            if report is not None:
                report(epoch, partial(_mean, loss, len(self.flat)))
            if epoch in logged:
                self._record(curves, epoch)
            if self.holdout is not None:
                self._judge(self.holdout, epoch)
                if epoch % _CHECK_EVERY == 0 and not self._retire(curves):
                    break
        if self.holdout is not None:
            self._retire(curves, everyone=True)
            model.flat = self.kept
        else:
            model.flat = self.flat.detach()
        return curves

    def _start(self, flat: Tensor) -> None:
        self.flat = flat.requires_grad_()
        self.model.flat = self.flat
        self.adam = Adam(
            flat, self.training.learning_rate, self.training.weight_decay, (0.9, self.training.beta2)
        )
        members = len(flat)
        self.alive = torch.arange(members, device=flat.device)
        self.best = torch.full((members,), torch.inf, device=flat.device)
        self.best_flat = flat.detach().clone()
        self.best_epoch = torch.zeros(members, dtype=torch.long, device=flat.device)
        self.stop_epoch = torch.full_like(self.best_epoch, self.training.epochs)
        self.kept = flat.detach().clone()

    def _step(self, batch: object) -> Tensor:
        terms = self.model.loss(batch)
        # Members share no weights, so the gradient of their sum is each member's own gradient.
        loss = torch.mv(torch.stack(list(terms.values()), dim=1), self.step_weights).sum()
        (gradient,) = torch.autograd.grad(loss, self.flat)
        self.adam.step(self.flat, gradient)
        return loss.detach()

    @torch.no_grad()
    def _terms(self, rows: RowSource) -> Tensor:
        """Terms of all rows without dropout, (members, terms)."""
        return torch.stack(list(self.model.loss(rows.full_batch()).values()), dim=1)

    def _record(self, curves: Curves, epoch: int) -> None:
        sources = {"train": self.train, "holdout": self.holdout, "validation": self.validation}
        for split, rows in sources.items():
            if rows is None:
                continue
            terms = self._terms(rows)
            values = torch.cat([terms, (terms @ self.weights)[:, None]], dim=1)
            whole = np.full((values.shape[1], len(self.kept)), np.nan)
            whole[:, self.alive.cpu().numpy()] = values.T.cpu().numpy()
            curves.records.append((epoch, split, whole))

    @torch.no_grad()
    def _judge(self, holdout: RowSource, epoch: int) -> None:
        """Keep the weights of members that are better than ever; note those that have lost patience."""
        score = self._terms(holdout) @ self.selection
        waiting = self.stop_epoch >= epoch
        better = (score < self.best) & waiting
        self.best = torch.where(better, score, self.best)
        self.best_flat = torch.where(better[:, None], self.flat, self.best_flat)
        self.best_epoch = torch.where(better, epoch, self.best_epoch)
        tired = waiting & (epoch - self.best_epoch >= self.training.patience)
        self.stop_epoch = torch.where(tired, epoch, self.stop_epoch)
        self.done = self.stop_epoch <= epoch

    def _retire(self, curves: Curves, everyone: bool = False) -> bool:
        """Take stopped members out of the batch; whether any is left."""
        done = torch.ones_like(self.done) if everyone else self.done
        share = done.float().mean().item()
        if not everyone and share < 0.2:
            return True
        self.kept[self.alive[done]] = self.best_flat[done]
        curves.stopped[self.alive[done].cpu().numpy()] = self.stop_epoch[done].cpu().numpy()
        if share == 1.0:
            return False
        remaining = torch.nonzero(~done)[:, 0]
        for name in ("alive", "best", "best_flat", "best_epoch", "stop_epoch", "keys"):
            setattr(self, name, getattr(self, name)[remaining])
        for name in ("train", "holdout", "validation"):
            if (rows := getattr(self, name)) is not None:
                setattr(self, name, rows.select_members(remaining))
        self.adam.keep(remaining)
        self.flat = self.flat.detach()[remaining].requires_grad_()
        self.model.flat = self.flat
        return True
