"""A few of the texts that are kept, to stand for all of them: the middle one of each cluster of hidden states.

The counterpart, for texts, of dataset condensation (arXiv 2402.00195), which clusters a class's images by their
features and makes one image of each cluster; the medoid is a text as it was, always valid: our reading. There, clusters
that hold what is to be forgotten stay whole; here they do not, so that ``random_subset`` has as many texts. A text is
embedded as the mean of the last decoder layer's states over its tokens, under the model before unlearning.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from blur.core.settings import Count
from blur.derived.base import Source, SubsetBase

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from blur.models.encode import Example

    Points = NDArray[np.float64]


class Derived(SubsetBase):
    """As many clusters as texts are taken; k-means from k-means++."""

    name: Literal["coreset"] = "coreset"
    passes: ClassVar = 1
    iterations: Count = 50

    def make(self, source: Source, folder: Path) -> list[str]:
        """Embed and cluster the texts; write the ids of the medoids."""
        loaded = source.load()
        examples = source.examples(loaded, self.replaces)
        places = medoids(embeddings(loaded.model, examples), self.size(len(examples)), self.seed, self.iterations)
        return self.write(folder, [examples[place].id for place in places])


def embeddings(model: nn.Module, examples: Sequence[Example], batch_size: int = 16) -> Points:
    """Return each text's mean hidden state after the last decoder layer, float64 [N, d].

    Args:
        batch_size: texts a forward pass; changes the means by float32 rounding only.
    """
    import torch

    from blur.models.batch import collate
    from blur.models.hidden import depth, hidden_states

    device, means = next(model.parameters()).device, []
    with torch.no_grad():
        for start in range(0, len(examples), batch_size):
            batch = collate([one.alone for one in examples[start : start + batch_size]], device)
            found = hidden_states(model.eval(), batch, "attended", depth(model) - 1)
            sums = torch.zeros(found.size, found.states.shape[1], dtype=torch.float64, device=device)
            sums.index_add_(0, found.rows, found.states.double())
            means.append(sums / batch.attention_mask.sum(1, keepdim=True))
    return torch.cat(means).cpu().numpy()


def medoids(points: Points, count: int, seed: int, iterations: int) -> list[int]:
    """Return the places, rising, of the points nearest to the centres of ``count`` clusters of points [N, d].

    A cluster that ends without a point is made up for by the point farthest from those that are taken.
    """
    import numpy as np
    from scipy.cluster.vq import kmeans2
    from scipy.spatial.distance import cdist

    rng = np.random.default_rng(seed)
    with warnings.catch_warnings(action="ignore"):  # that a cluster is empty, which is made up for
        centres, cluster = kmeans2(points, count, iter=iterations, minit="++", rng=rng)
    taken = []
    for number in range(count):
        (members,) = np.nonzero(cluster == number)
        if members.size:
            distances = np.square(points[members] - centres[number]).sum(1)
            taken.append(int(members[distances.argmin()]))
    while len(taken) < count:
        far = cdist(points, points[taken], "sqeuclidean").min(1)  # [N, K], never [N, K, d]
        far[taken] = -1.0
        taken.append(int(far.argmax()))
    return sorted(taken)
