"""Numbers in sentences."""

from msgspec.structs import replace

from dockersweep.model.plan import LayersHeld, exactly
from dockersweep.words.amounts import layers_text


def test_why_an_object_frees_less_than_its_size() -> None:
    held = LayersHeld(by="build-cache", count=7, with_them=exactly(38_000_000))
    assert layers_text(held, "image") == (
        "its layers are held by 7 build-cache records; with them it would free 38.0 MB"
    )
    assert layers_text(replace(held, count=1), "image") == (
        "its layers are held by 1 build-cache record; removing both would free 38.0 MB"
    )
    assert layers_text(replace(held, with_them=None), "image") == "its layers are held by 7 build-cache records"
    assert layers_text(LayersHeld(by="image", count=None), "image") == "its layers are shared with over 100 images"
    assert layers_text(LayersHeld(by="image", count=1), "build-cache") == "its layer is shared with 1 image"
