"""Check each file of each distribution against its RECORD."""

import base64
import hashlib
import importlib.metadata

count = 0
for distribution in importlib.metadata.distributions():
    assert distribution.read_text("INSTALLER") == "imagewright\n", distribution
    for file in distribution.files:
        content = file.locate().read_bytes()
        if len(file.parts) == 2 and file.name == "RECORD":
            assert file.hash is None, file
            continue
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        assert (file.hash.mode, file.hash.value, file.size) == ("sha256", digest, len(content)), file
        count += 1
assert count > 1000, count
