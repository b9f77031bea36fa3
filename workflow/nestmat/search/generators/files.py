"""Files of trained generators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file

from nestmat import seals
from nestmat.errors import InputError
from nestmat.files import replacing
from nestmat.search.generators.base import GenerativeModel, GeneratorOptions
from nestmat.search.spaces.product import Product


def write_generators(models: Sequence[GenerativeModel], path: str | Path, card: Mapping[str, Any]) -> None:
    """Write trained models, one a seed, with a card, whole or not at all."""
    tensors = {
        f"{seed}.{name}": value.clone(memory_format=torch.contiguous_format)
        for seed, model in enumerate(models)
        for name, value in model.state_dict().items()
    }
    # safetensors needs a tensor, and a uniform model has none.
    tensors["seeds"] = torch.tensor(len(models))
    with replacing(path) as aside:
        # One entry only: safetensors writes several in an order that changes from run to run.
        text = json.dumps({**card, seals.KEY: seals.BLANK}, sort_keys=True)
        save_file(tensors, aside, metadata={"card": text})
        seals.seal(aside)


def read_generators(path: str | Path, space: Product, options: GeneratorOptions) -> list[GenerativeModel]:
    """Read what `write_generators` wrote.

    Args:
        path: The file.
        space: The space that the models were trained for.
        options: Options that they were trained with.

    Raises:
        InputError: The file is missing, damaged, or of other models.
    """
    seals.verify(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        models = [options.build(space, seed) for seed in range(int(tensors["seeds"]))]
        for seed, model in enumerate(models):
            prefix = f"{seed}."
            model.load_state_dict(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )
    except (safetensors.SafetensorError, RuntimeError, KeyError) as error:
        raise InputError(
            f"The file does not hold the generators of {type(options).__name__}: {error}.",
            file=path,
            remedy="delete it and train again.",
        ) from error
    return models
