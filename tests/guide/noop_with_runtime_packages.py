# The docstring of `ImageSpec`, at `runtime_packages`: read where it is printed.
import re

from flytekit import ImageSpec

[printed] = re.findall(r"`(ImageSpec\(base_image=[^`]*)`", ImageSpec.__doc__)
image_spec = eval(printed)
