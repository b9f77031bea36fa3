"""The search methods by name: their settings, which are the method as well where it needs nothing more."""

from __future__ import annotations

from collections.abc import Mapping

from nestmat.search.conditional import Decode, Inversion, Scan
from nestmat.search.generative import Generative
from nestmat.search.genetic import Genetic
from nestmat.search.gradient import Gradient
from nestmat.search.latent import Latent
from nestmat.search.nsga import NSGA
from nestmat.search.random_search import RandomSearch
from nestmat.search.ranking import Ranking
from nestmat.search.vae import VAE

METHODS: Mapping[str, type] = {
    "random": RandomSearch,
    "ranking": Ranking,
    "genetic": Genetic,
    "gradient": Gradient,
    "nsga": NSGA,
    "latent": Latent,
    "vae": VAE,
    "generative": Generative,
    "decode": Decode,
    "scan": Scan,
    "inversion": Inversion,
}
