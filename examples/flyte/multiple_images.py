"""Two images in one workflow: each task has what it needs, and what both need is one layer in both images.

``imagewright build multiple_images.py`` builds both; ``imagewright plan multiple_images.py`` says which layers they share.
"""

from __future__ import annotations

from typing import List

from flytekit import task, workflow
from imagewright import ImageSpec

tables = ImageSpec(name="flyte-example-tables", packages=["pandas"])
models = ImageSpec(name="flyte-example-models", packages=["scikit-learn"])


@task(container_image=tables)
def hours() -> List[float]:
    import pandas as pd

    return [float(hour) for hour in pd.Series(range(4))]


@task(container_image=models)
def slope(hours: List[float]) -> float:
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit([[hour] for hour in hours], [2 * hour + 1 for hour in hours])
    return float(model.coef_[0])


@workflow
def trend() -> float:
    return slope(hours=hours())
