# Install flytekit from GitHub.
from flytekit import ImageSpec

commit = "90a4455c2cc2b3e171dfff69f605f47d48ea1ff1"
new_flytekit = f"git+https://github.com/flyteorg/flytekit@{commit}"
new_spark_plugins = f"git+https://github.com/flyteorg/flytekit.git@{commit}#subdirectory=plugins/flytekit-spark"

image_spec = ImageSpec(
    apt_packages=["git"],
    packages=[new_flytekit, new_spark_plugins],
    registry="ghcr.io/flyteorg",
)
