from __future__ import annotations

import shutil
from functools import partial

import numpy as np
import pytest
import torch

from zspag_core.data import images as ours
from zspag_core.data import load_dataset
from zspag_core.data.backdoor import add_trigger, poison
from zspag_core.data.dataset import Split, to_pixels
from zspag_core.data.images import Decoding, Images, changed, concat, decode_images, fit_images, in_memory, look_through
from zspag_core.data.resizing import Resizing
from zspag_core.errors import DataError

SIZES = (24, Resizing(20, 22, "bicubic"))


class Counted:
    """A source that remembers how many images were made at once."""

    def __init__(self, source):
        self.source, self.made = source, []

    def __len__(self):
        return len(self.source)

    def take(self, rows):
        self.made.append(len(rows))
        return self.source.take(rows)


@pytest.fixture
def lazy(monkeypatch):
    """Lets every set be a large one."""
    monkeypatch.setattr(ours, "EAGER_BYTES", 0)


@pytest.fixture
def raw(digit_images):
    return torch.from_numpy(digit_images[0][:50])[:, None]


@pytest.fixture
def encoded(digit_images, png):
    return [(f"digit {n}", partial(png, pixels)) for n, pixels in enumerate(digit_images[0][:50])]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_raw_images_are_the_same_bytes_made_late(raw, size, channels, monkeypatch):
    eager = fit_images(raw, size, channels)
    monkeypatch.setattr(ours, "EAGER_BYTES", 0)
    late = fit_images(raw, size, channels)
    assert isinstance(eager, torch.Tensor)
    assert isinstance(late, Images)
    assert torch.equal(late.tensor(), eager)
    assert late.shape == eager.shape
    assert late.nbytes == eager.nbytes
    assert (late.ndim, late.dtype) == (eager.ndim, eager.dtype)
    assert torch.equal(torch.cat([in_memory(part) for part in late.split(7)]), eager)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_encoded_images_are_the_same_bytes_made_late(encoded, size, channels, monkeypatch):
    eager, parts = decode_images(encoded, size, channels), Decoding(50, size, channels)
    parts.add(encoded)
    assert torch.equal(parts.images(), eager)
    monkeypatch.setattr(ours, "EAGER_BYTES", 0)
    late, spooled = decode_images(encoded, size, channels), Decoding(50, size, channels)
    spooled.add(encoded[:20])
    spooled.add(encoded[20:])
    assert isinstance(late, Images)
    assert torch.equal(late.tensor(), eager)
    assert torch.equal(spooled.images().tensor(), eager)
    assert torch.equal(spooled.images()[torch.tensor([40, 3])].tensor(), eager[[40, 3]])


@pytest.mark.parametrize(
    "index",
    [
        torch.tensor([4, 0, 4]), slice(None, None, 3), slice(5, 9), [1, 2], torch.arange(50) % 2 == 0,
        torch.zeros(0, dtype=torch.int64), torch.zeros(50, dtype=torch.bool),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("lazy")
def test_an_index_selects_as_of_a_tensor_and_makes_nothing(raw, index):
    late = fit_images(raw, 12, 1)
    counted = Counted(late.source)
    late = Images(counted, late.rows, 1, 12)
    chosen = late[index]
    assert counted.made == []
    assert torch.equal(chosen.tensor(), late.tensor()[index])


@pytest.mark.usefixtures("lazy")
def test_one_image_and_all_of_them_in_turn(raw):
    late = fit_images(raw, 12, 1)
    everything = late.tensor()
    assert torch.equal(late[7], everything[7])
    assert torch.equal(torch.stack(list(late)), everything)
    assert torch.equal(to_pixels(late), to_pixels(everything))


@pytest.mark.usefixtures("lazy")
def test_parts_are_put_together_without_being_made(raw):
    late, eager = fit_images(raw, 12, 1), fit_images(raw, 12, 1).tensor()
    joined = concat(late[:20], eager[20:35], late[35:])
    assert isinstance(joined, Images)
    assert torch.equal(joined.tensor(), eager)
    assert torch.equal(joined[torch.tensor([49, 21, 0])].tensor(), eager[[49, 21, 0]])
    assert torch.equal(concat(eager[:3], eager[7:]), torch.cat([eager[:3], eager[7:]]))
    assert concat(late[:0], late[:0]).tensor().shape == (0, 1, 12, 12)


@pytest.mark.usefixtures("lazy")
def test_a_change_is_made_to_every_image(raw):
    late = fit_images(raw, 12, 1)
    inverted = changed(late, lambda pixels: 255 - pixels)
    assert torch.equal(inverted[3:9].tensor(), 255 - late.tensor()[3:9])
    assert torch.equal(changed(late.tensor(), torch.clone), late.tensor())


@pytest.mark.usefixtures("lazy")
def test_a_backdoor_is_planted_alike(raw):
    late, labels = fit_images(raw, 16, 1), torch.arange(50) % 3
    one, two = (
        poison(Split(images, labels), 1, 2, 0.5, torch.Generator().manual_seed(4)) for images in (late, late.tensor())
    )
    assert torch.equal(one.images.tensor(), two.images)
    assert torch.equal(one.labels, two.labels)
    assert torch.equal(add_trigger(late).tensor(), add_trigger(late.tensor()))


@pytest.mark.usefixtures("lazy")
def test_statistics_and_fingerprint_are_the_same(raw):
    late, labels = fit_images(raw, 20, 3), torch.arange(50)
    one, two = Split(late, labels), Split(late.tensor(), labels)
    assert one.channel_statistics() == two.channel_statistics()
    pixels = two.images.double() / 255
    assert one.channel_statistics()[1] == tuple(round(v, 4) for v in pixels.std(dim=(0, 2, 3)).tolist())
    assert one.fingerprint() == two.fingerprint()
    assert torch.equal(one.loaded().images, two.images)
    assert torch.equal(one.to(torch.device("cpu")).images, two.images)


def test_few_are_made_at_once_however_many_there_are(raw, monkeypatch):
    monkeypatch.setattr(ours, "EAGER_BYTES", 0)
    monkeypatch.setattr(ours, "BATCH", 8)
    for count in (10, 50):
        late = fit_images(raw[:count], 12, 1)
        counted = Counted(late.source)
        look_through(Images(counted, late.rows, 1, 12))
        assert max(counted.made) == 8
        assert sum(counted.made) == count


@pytest.mark.usefixtures("lazy")
def test_an_unreadable_image_of_a_large_set_is_named(encoded):
    broken = [*encoded[:3], ("the torn one", lambda: b"\x89PNG torn"), *encoded[3:]]
    late = decode_images(broken, 12, 1)
    with pytest.raises(DataError, match="the torn one is not an image"):
        look_through(late)
    assert late[:3].tensor().shape == (3, 1, 12, 12)


@pytest.mark.usefixtures("lazy")
def test_all_unreadable_images_of_a_large_set_are_told_at_once(encoded, monkeypatch):
    monkeypatch.setattr(ours, "BATCH", 4)
    torn = [(f"torn {number}", lambda: b"\x89PNG torn") for number in range(7)]
    late = decode_images([torn[0], *encoded[:5], *torn[1:], *encoded[5:]], 12, 1)
    with pytest.raises(DataError, match=r"^7 images cannot be read: torn 0, torn 1, torn 2, torn 3, torn 4, …; "):
        look_through(late)


@pytest.mark.usefixtures("lazy")
def test_images_are_made_also_where_nothing_can_be_derived(encoded, raw):
    for late in (decode_images(encoded, 12, 1), concat(fit_images(raw, 12, 1), decode_images(encoded, 12, 1))):
        with torch.inference_mode():
            found = late.tensor().clone()
        assert torch.equal(found, late.tensor())


@pytest.fixture(params=["folder", "zip", "parquet", "npz"])
def source(request, tmp_path, digit_images, png):
    """Digits 0 to 3 in each form."""
    images, labels = (part[digit_images[1] < 4][:60] for part in digit_images)
    if request.param == "npz":
        np.savez(tmp_path / "set.npz", x=images, y=labels)
        return tmp_path / "set.npz"
    if request.param == "parquet":
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.table({"image": [{"bytes": png(one), "path": None} for one in images], "label": labels})
        parquet.write_table(table, tmp_path / "set.parquet")
        return tmp_path / "set.parquet"
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        path = tmp_path / "set" / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(pixels))
    if request.param == "zip":
        shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "set")
        return tmp_path / "set.zip"
    return tmp_path / "set"


def test_every_form_loads_the_same_bytes_late(source, monkeypatch):
    eager = load_dataset(str(source), image_size=24, channels=3)
    monkeypatch.setattr(ours, "EAGER_BYTES", 0)
    late = load_dataset(str(source), image_size=24, channels=3)
    assert isinstance(late.train.images, Images)
    for one, two in ((eager.train, late.train), (eager.test, late.test)):
        assert torch.equal(one.images, two.images.tensor())
        assert torch.equal(one.labels, two.labels)


def test_encoded_images_are_read_through_once(source, monkeypatch, home):
    monkeypatch.setattr(ours, "EAGER_BYTES", 0)
    load_dataset(str(source), image_size=24, channels=3)
    marked = list((home / "cache").glob("*.read"))
    assert len(marked) == (0 if source.suffix == ".npz" else 1)
    monkeypatch.setattr(ours._Encoded, "take", lambda *_: pytest.fail("read again"))
    load_dataset(str(source), image_size=24, channels=3)


def test_an_archive_that_changed_is_told(source, monkeypatch):
    if source.suffix != ".zip":
        pytest.skip("about archives")
    monkeypatch.setattr(ours, "EAGER_BYTES", 0)
    late = load_dataset(str(source), image_size=24, channels=3)
    source.write_bytes(b"gone")
    with pytest.raises(DataError, match="cannot be read any more; expected the archive as it was"):
        late.train.images.tensor()


def test_a_spool_without_a_home_lies_where_temporary_files_do(encoded, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(ours, "EAGER_BYTES", 0)
    spooled = Decoding(50, 12, 1)
    spooled.add(encoded)
    assert len(spooled.images().tensor()) == 50
