"""The search methods by name: their settings, which are the method as well where it needs nothing more."""

from __future__ import annotations

from collections.abc import Mapping

from nestmat.search.methods.conditional_decoder import Decode, Inversion, Scan
from nestmat.search.methods.generative import Generative
from nestmat.search.methods.genetic import Genetic
from nestmat.search.methods.gradient import Gradient
from nestmat.search.methods.latent import Latent
from nestmat.search.methods.nsga import NSGA
from nestmat.search.methods.random_search import RandomSearch
from nestmat.search.methods.ranking import Ranking
from nestmat.search.methods.vae import VAE

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
