from __future__ import annotations

import numpy as np
import pytest

from nestmat import tables
from nestmat.interpretation.embed import EMBEDDING, embed_latents
from support.trained_toy import ROWS


@pytest.mark.slow
def test_embedding_of_the_member_of_all_rows(folder, tmp_path):
    embed_latents(folder / "latents.parquet", folder / "features.parquet", tmp_path / "maps.parquet")
    found = tables.read(tmp_path / "maps.parquet")
    assert tables.schema(tmp_path / "maps.parquet") == dict(EMBEDDING)
    assert found.groupby("method").size().to_dict() == {"pca": ROWS, "tsne": ROWS}
    assert tables.provenance(tmp_path / "maps.parquet")["member"]["fold"] == -1
    features = tables.read(folder / "features.parquet").set_index("row_id")["Gap"]
    np.testing.assert_array_equal(found["value"], found["row_id"].map(features))
