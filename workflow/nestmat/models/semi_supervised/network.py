"""Semi-supervised variational autoencoder of compositions, whose latents are z and the targets y.

The generative model is p(y) p(z) p(x | y, z) of a composition x, the guide q(y | e) q(z | x, y), where e are
features that an expert would look at: model M2 of Kingma et al., NeurIPS 27 (2014). Classes of rows without a
label are summed out exactly; Zeng, Khan and Post (arXiv 2409.06740, 2024) draw them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from nestmat.models.base import Batch, is_labelled
from nestmat.models.layers import Layout, Output, Perceptrons
from nestmat.models.losses import LOSSES, dependence, split_gaussian
from nestmat.models.semi_supervised.specification import SemiSupervisedSpecification
from nestmat.models.specification import Shapes

LOG_STD_LIMIT = 5.0
COMPARED = 128
"""Rows of a batch that are compared with each other where z is made independent of the targets."""


class SemiSupervisedAutoencoder:
    """One model a member, all in one flat buffer of parameters; a `nestmat.models.base.ConditionalNetwork`.

    A latent vector is z and then one number a target: the probability of class 1, or the scaled mean. What
    is predicted of a material is therefore part of its latents, and its targets can be set there.

    Args:
        specification: Inputs, encoder, heads, composition and classifier.
        shapes: Widths of blocks, and targets.
        seeds: Seed of the first weights of each member, (members,).

    Attributes:
        flat: Parameters, (members, parameters), float32.
        layout: Names and places of the parameters.
        latents: Number of z, which come before the targets.

    Raises:
        InputError: The parts of the specification do not fit each other or the data.
    """

    def __init__(self, specification: SemiSupervisedSpecification, shapes: Shapes, seeds: Sequence[int]):
        specification.check(shapes)
        self.specification, self.shapes = specification, shapes
        self.composition, self.latent_std = specification.composition, specification.latent_std
        heads, encoder = specification.heads, specification.encoder
        self.targets = [name for name in heads if name in shapes.targets]
        self.classes = [name for name in self.targets if name in shapes.classes]
        self.layout, self.latents = Layout(specification.initialisation), encoder.latents
        widths = [shapes.blocks[name] for name in specification.inputs]
        ends = list(itertools.accumulate(widths))
        self._places = {
            name: slice(end - width, end)
            for name, end, width in zip(specification.inputs, ends, widths, strict=True)
        }
        self._elements = shapes.blocks[self.composition]
        self.encoder = Perceptrons(
            self.layout,
            "encoder",
            self._elements + len(self.targets),
            encoder.hidden,
            {"latents": Output(2 * self.latents, "identity", encoder.gain)},
            encoder.activation,
            bias_range=encoder.bias_range,
        )
        evidence = sum(shapes.blocks[name] for name in self.specification.classifier)
        self.classifiers = {name: self._head(name, evidence, 1) for name in self.targets}
        head = heads[self.composition]
        self.decoder = self._head(self.composition, self.latents + len(self.targets), self._elements)
        self._presence = head.loss == "presence"
        self.term_weights: dict[str, float] = {
            **{name: head.weight for name, head in heads.items()},
            "latent_divergence": self.specification.divergence,
            "label_divergence": 1.0,
            **{str(name): weight for name, weight in specification.penalties.items()},
        }
        self.selection_terms = tuple(self.targets)
        self.flat = self.layout.initial(seeds)
        self._choices = list(itertools.product((0.0, 1.0), repeat=len(self.classes)))

    def _head(self, name: str, inputs: int, width: int) -> Perceptrons:
        head = self.specification.heads[name]
        output = Output(width * head.fit.outputs, "identity", head.gain, head.output_gain)
        return Perceptrons(
            self.layout, f"heads.{name}", inputs, head.hidden, {name: output}, head.activation, head.dropout
        )

    @property
    def weights(self) -> dict[str, Tensor]:
        """The parameters by name, members first."""
        return self.layout.views(self.flat)

    # Inside, rows are the last axis.

    def _composition(self, inputs: Tensor) -> Tensor:
        return inputs[:, self._places[self.composition]]

    def _classify(self, inputs: Tensor, weights: Mapping[str, Tensor], noise) -> dict[str, Tensor]:
        """Raw outputs of the heads of the targets, (members, 1 or 2, n) each."""
        evidence = torch.cat([inputs[:, self._places[name]] for name in self.specification.classifier], dim=1)
        return {name: head(evidence, weights, noise)[name] for name, head in self.classifiers.items()}

    def _encode(self, x: Tensor, y: Tensor, weights: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation of q(z | x, y), (members, latents, n) each."""
        fractions = x.clamp_min(0.0).sqrt() if self.specification.roots else self.specification.atoms * x
        mean, raw = self.encoder(torch.cat([fractions, y], dim=1), weights, None)["latents"].chunk(2, dim=1)
        return mean, LOG_STD_LIMIT * torch.tanh(raw / LOG_STD_LIMIT)

    def _decode(self, z: Tensor, y: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        """Logits of the shares, and behind them of the presence where that is modelled."""
        name = self.composition
        return self.decoder(torch.cat([z, y], dim=1), weights, None)[name]

    def _log_likelihood(self, logits: Tensor, x: Tensor) -> Tensor:
        """Log-likelihood of x given y and z, without what no parameter enters, (members, n)."""
        present = x > 0
        if not self._presence:
            return self.specification.atoms * (x * functional.log_softmax(logits, dim=1)).sum(dim=1)
        share, presence = logits.chunk(2, dim=1)
        # The shares of absent elements do not enter.
        log_shares = functional.log_softmax(share.masked_fill(~present, -torch.inf), dim=1)
        share_term = (x * log_shares.masked_fill(~present, 0.0)).sum(dim=1)
        presence_term = functional.logsigmoid(torch.where(present, presence, -presence)).sum(dim=1)
        return self.specification.atoms * share_term + self.specification.presence * presence_term

    def encode(self, x: Tensor) -> tuple[Tensor, None]:
        """Latents (members, n, latents + targets) of scaled inputs (members, n, features).

        z is the mean of q(z | x, y) of the most likely classes: no label is read.
        """
        inputs, weights = x.transpose(1, 2), self.weights
        y = self._means(self._classify(inputs, weights, None))
        z = self._encode(self._composition(inputs), self._likely(y), weights)[0]
        return torch.cat([z, y], dim=1).transpose(1, 2), None

    def place(self, x: Tensor, y: Tensor) -> Tensor:
        """Latents (members, n, latents + targets) of fractions (members, n, elements) and given targets.

        As `encode`, with ``y`` (members, n, targets) in place of the predictions of the classifier.
        """
        targets = y.transpose(1, 2)
        z = self._encode(x.transpose(1, 2), self._likely(targets), self.weights)[0]
        return torch.cat([z, targets], dim=1).transpose(1, 2)

    def _means(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """Probability of class 1, or mean, of each target, (members, targets, n)."""
        parts = [
            torch.sigmoid(outputs[name]) if name in self.classes else outputs[name][:, :1]
            for name in self.targets
        ]
        return torch.cat(parts, dim=1)

    def _likely(self, y: Tensor) -> Tensor:
        """``y`` (members, targets, n) with classes in place of probabilities, whose slope stays."""
        parts = [
            (part >= 0.5).to(y) + (part - part.detach()) if name in self.classes else part
            for name, part in zip(self.targets, y.split(1, dim=1), strict=True)
        ]
        return torch.cat(parts, dim=1)

    def _with_classes(self, y: Tensor, choice: Sequence[float]) -> Tensor:
        """``y`` (members, targets, n) with the classes of one choice, 0 or 1 each."""
        parts = list(y.split(1, dim=1))
        for name, value in zip(self.classes, choice, strict=True):
            place = self.targets.index(name)
            parts[place] = torch.full_like(parts[place], value)
        return torch.cat(parts, dim=1)

    def _shares(self, y: Tensor) -> list[Tensor]:
        """Probability of each choice of classes, (members, n) each, for the probabilities in ``y``."""
        probabilities = [y[:, self.targets.index(name)] for name in self.classes]
        shares = []
        for choice in self._choices:
            share = torch.ones_like(y[:, 0])
            for value, probability in zip(choice, probabilities, strict=True):
                share = share * (probability if value else 1 - probability)
            shares.append(share)
        return shares

    def decode(self, z: Tensor) -> dict[str, Tensor]:
        """Fractions (members, n, elements) of latents (members, n, latents + targets), of sum 1.

        Of the probability of a class the more likely class is taken. Where presence is modelled, an element
        whose presence is less likely than its absence has the share 0, all but the most likely one; the slope
        there is that of shares weighed by presence.
        """
        logits = self._logits(z)
        if not self._presence:
            return {self.composition: torch.softmax(logits, dim=1).transpose(1, 2)}
        share, presence = logits.chunk(2, dim=1)
        soft_shares = torch.softmax(share + functional.logsigmoid(presence), dim=1)
        is_present = presence >= presence.amax(dim=1, keepdim=True).clamp_max(0.0)
        hard_shares = torch.softmax(share.masked_fill(~is_present, -torch.inf), dim=1)
        # Exactly 0 in value where it is absent: the soft shares cancel before they are added.
        return {
            self.composition: (hard_shares.detach() + (soft_shares - soft_shares.detach())).transpose(1, 2)
        }

    def presence(self, z: Tensor) -> Tensor:
        """How likely each element is there (members, n, elements), for latents as of `decode`.

        The share of it where presence is not modelled.
        """
        logits = self._logits(z)
        probability = (
            torch.sigmoid(logits.chunk(2, dim=1)[1]) if self._presence else torch.softmax(logits, dim=1)
        )
        return probability.transpose(1, 2)

    def _logits(self, z: Tensor) -> Tensor:
        latents = z.transpose(1, 2)
        return self._decode(
            latents[:, : self.latents], self._likely(latents[:, self.latents :]), self.weights
        )

    def predict(self, z: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Targets among the latents, (members, n) each; no standard deviation is stated (NaN)."""
        values = (z[..., self.latents + k] for k in range(len(self.targets)))
        return {
            name: (value, torch.full_like(value, torch.nan))
            for name, value in zip(self.targets, values, strict=True)
        }

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Unweighted terms, (members,) each.

        The head of the composition, ``latent_divergence`` and ``label_divergence`` together are the negative
        evidence lower bound a row, up to what no parameter enters; the heads of the targets are the auxiliary
        loss, a row that is labelled or taught.
        """
        weights, options = self.weights, self.specification
        x = self._composition(batch.inputs)
        outputs = self._classify(batch.inputs, weights, batch.noise)
        all_labelled = is_labelled(self.targets[0]) not in batch.targets
        labelled_by_target = {
            name: torch.ones_like(batch.targets[name]) if all_labelled else batch.targets[is_labelled(name)]
            for name in self.targets
        }
        # Predictions of a teacher stand for labels.
        taught_by_target = (
            {name: torch.ones_like(labelled) for name, labelled in labelled_by_target.items()}
            if options.teacher
            else labelled_by_target
        )
        terms = {
            name: self._auxiliary(name, outputs[name], taught_by_target[name], batch) for name in self.targets
        }
        y, label_divergence = self._labels(outputs, taught_by_target, batch)
        labelled = torch.stack([labelled_by_target[name] for name in self.targets]).amin(dim=0)[:, 0]
        weight = batch.weight * torch.where(labelled > 0, 1.0, options.unlabelled)
        noise = batch.noise.normal(self.latents) if batch.noise is not None else None
        reconstruction, divergence = torch.zeros_like(weight), torch.zeros_like(weight)
        mean = weight.new_zeros(len(weight), self.latents, weight.shape[1])
        # Where every label is known, that is the one choice: half the work or less.
        label_choices = [y] if all_labelled else [self._with_classes(y, choice) for choice in self._choices]
        shares = [torch.ones_like(weight)] if all_labelled else self._shares(y)
        for labels, share in zip(label_choices, shares, strict=True):
            centre, log_std = self._encode(x, labels, weights)
            z = centre if noise is None else centre + log_std.exp() * noise
            reconstruction = reconstruction - share * self._log_likelihood(
                self._decode(z, labels, weights), x
            )
            divergence = divergence + share * self._divergence(centre, log_std)
            mean = mean + share.detach().unsqueeze(1) * centre
        terms[self.composition] = (weight * reconstruction).sum(dim=1)
        terms["latent_divergence"] = (weight * divergence).sum(dim=1)
        terms["label_divergence"] = (weight * label_divergence).sum(dim=1)
        if "independence" in self.specification.penalties:
            # Of z alone: targets would be predicted worse to make it small.
            terms["independence"] = self._dependence(mean, y.detach(), batch)
        if "l2" in self.specification.penalties:
            terms["l2"] = self.flat.square().sum(dim=1)
        return {name: terms[name] for name in self.term_weights}

    def _dependence(self, mean: Tensor, y: Tensor, batch: Batch) -> Tensor:
        """Dependence of z on the targets, (members,), in `COMPARED` rows: it costs their square.

        Batches are shuffled; all rows at once are as in the table, which may be sorted by class: there the
        rows are spread over it.
        """
        rows = batch.weight.shape[1]
        shuffled = batch.noise is not None and batch.noise.rows > rows
        step = 1 if shuffled else max(1, rows // COMPARED)
        compared = slice(0, COMPARED * step, step)
        weight = batch.weight[:, compared]
        share = weight / weight.sum(dim=1, keepdim=True).clamp_min(1e-12)
        return dependence(mean[..., compared], y[..., compared], share)

    def _auxiliary(self, name: str, output: Tensor, labelled: Tensor, batch: Batch) -> Tensor:
        weight = batch.weight * labelled[:, 0]
        # A member may have no labelled row in a batch: then there is no loss.
        share = weight / weight.sum(dim=1, keepdim=True).clamp_min(1e-12)
        return LOSSES[self.specification.heads[name].loss](output, batch.targets[name], share)

    def _labels(
        self, outputs: Mapping[str, Tensor], labelled_by_target: Mapping[str, Tensor], batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Targets where they are known, and those of q(y | e) where they are not.

        Returns:
            Values, (members, targets, n): of a number that is not known one draw; and what they cost by the
            prior, (members, n): -log p(y), or the divergence of q(y | e) from p(y).
        """
        values, divergence = [], torch.zeros_like(batch.weight)
        for name in self.targets:
            output, labelled = outputs[name], labelled_by_target[name]
            if name in self.classes:
                value, prior = torch.sigmoid(output), self.specification.prior.get(name, 0.5)
                log_one, log_none = functional.logsigmoid(output), functional.logsigmoid(-output)
                unlabelled_cost = value * (log_one - math.log(prior)) + (1 - value) * (
                    log_none - math.log(1 - prior)
                )
                # Of a row with a label only the prior is left.
                label = batch.targets[name]
                labelled_cost = -label * math.log(prior) - (1 - label) * math.log(1 - prior)
            else:
                mean, log_variance = split_gaussian(output)
                value = mean
                if batch.noise is not None:
                    value = value + torch.exp(0.5 * log_variance) * batch.noise.normal(1)
                unlabelled_cost = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1)
                labelled_cost = 0.5 * batch.targets[name].square()
            values.append(torch.where(labelled > 0, batch.targets[name], value))
            divergence = divergence + torch.where(labelled > 0, labelled_cost, unlabelled_cost)[:, 0]
        return torch.cat(values, dim=1), divergence

    def _divergence(self, mean: Tensor, log_std: Tensor) -> Tensor:
        """KL of q(z | x, y) from the prior, (members, n)."""
        scale = self.latent_std
        ratio = (mean.square() + torch.exp(2 * log_std)) / scale**2
        return 0.5 * (ratio - 1 - 2 * log_std + 2 * math.log(scale)).sum(dim=1)
