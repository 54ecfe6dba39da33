"""A task that is a command in a container, whose image is an ImageSpec.

Flyte puts the inputs into a folder, starts the command, and reads the outputs from another folder.
"""

from __future__ import annotations

from flytekit import ContainerTask, ImageSpec, kwtypes, workflow

image = ImageSpec(name="flyte-example-shell", packages=["six"], entrypoint=[])

area = ContainerTask(
    name="circle_area",
    image=image,
    input_data_dir="/var/inputs",
    output_data_dir="/var/outputs",
    inputs=kwtypes(radius=float),
    outputs=kwtypes(area=float),
    command=[
        "python",
        "-c",
        "import sys; open('/var/outputs/area', 'w').write(str(3.14159 * float(sys.argv[1]) ** 2))",
        "{{.inputs.radius}}",
    ],
)


@workflow
def circle(radius: float = 2.0) -> float:
    return area(radius=radius)
