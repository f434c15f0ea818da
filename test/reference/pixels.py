"""Pictures in every format that is read, and what transformers 4.34 with Pillow 9.4 makes of them.

    python test/reference/pixels.py        writes test/fixtures/images/

expected.json: per file its size, its RGB bytes as `load_image` + convert("RGB") gives them, and the pixels of `BlipImageProcessor` with the hub's settings
(float32, little endian), both as SHA-256.
"""
import hashlib
import io
import json
import struct
from pathlib import Path

import numpy as np
import PIL
import transformers
from PIL import Image, features
from pixels_encoders import display_p3, exif, png, tiff, with_adobe, without_adobe
from transformers import BlipImageProcessor
from transformers.image_utils import load_image

SEED = 5
OUT = Path(__file__).parent.parent / "fixtures" / "images"
HUB = BlipImageProcessor(
    size={"height": 224, "width": 224}, resample=3, rescale_factor=0.00392156862745098,
    image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711],
)
rng = np.random.default_rng(SEED)


def picture(width, height, channels=3, noise=2):
    """[h,w,c] u8: waves, a disc with a hard edge, a little noise."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    planes = []
    for c in range(channels):
        wave = 127 + 90 * np.sin(7 * x * (c + 1) + 2 * c) * np.cos(5 * y + c)
        wave[(x - 0.4) ** 2 + (y - 0.3) ** 2 < 0.04] = (250, 10, 120, 60)[c]
        planes.append(wave + rng.integers(-noise, noise + 1, wave.shape))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def coarse(width, height):
    """Few values, so that it packs well."""
    return picture(width, height, 3, 0) // 24 * 24 + 5


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def rgb(width=61, height=47, noise=2):
    return Image.fromarray(picture(width, height, 3, noise))


def jpegs():
    cmyk = saved(Image.fromarray(picture(45, 33, 4), "CMYK"), "JPEG", quality=90)
    yield from {
        "baseline.jpg": saved(rgb(640, 481, 0), "JPEG", quality=80),
        "progressive.jpg": saved(rgb(), "JPEG", quality=85, progressive=True),
        "444.jpg": saved(rgb(), "JPEG", quality=95, subsampling=0),
        "422.jpg": saved(rgb(), "JPEG", quality=85, subsampling=1),
        "restart-optimized.jpg": saved(rgb(), "JPEG", quality=40, optimize=True),
        "gray.jpg": saved(rgb().convert("L"), "JPEG"),
        "display-p3.jpg": saved(rgb(), "JPEG", icc_profile=display_p3()),
        "cmyk-adobe.jpg": cmyk,
        "cmyk-plain.jpg": without_adobe(cmyk),
        "ycck.jpg": with_adobe(cmyk, 2),
        "rgb-adobe.jpg": with_adobe(saved(rgb(), "JPEG", subsampling=0), 0),
    }.items()
    for orientation in range(1, 9):
        yield f"exif-{orientation}.jpg", saved(rgb(50, 31), "JPEG", exif=b"Exif\0\0" + exif(orientation))


def pngs():
    size = (37, 29)
    deep = lambda channels: rng.integers(0, 65536, (size[1], size[0], channels)) // 7 * 7
    dark = picture(*size, 1).astype(int) * 2  # above and below 255
    palette = rng.integers(0, 256, 768).astype(np.uint8).tobytes()
    index = lambda depth: rng.integers(0, 2**depth, (size[1], size[0], 1))
    for depth in (1, 2, 4, 8):
        plte = (b"PLTE", palette[: 3 * 2**depth])
        yield f"palette-{depth}.png", png(index(depth), depth, 3, extra=[plte])
        yield f"gray-{depth}.png", png(index(depth), depth, 0)
    yield "palette-transparent.png", png(index(4), 4, 3, extra=[(b"PLTE", palette[:48]), (b"tRNS", bytes(range(0, 160, 16)))])
    yield "palette-interlaced.png", png(index(2), 2, 3, True, [(b"PLTE", palette[:12])])
    yield "gray-transparent.png", png(index(8), 8, 0, extra=[(b"tRNS", b"\0\x40")])
    yield "rgb-transparent.png", png(picture(*size, 3), 8, 2, extra=[(b"tRNS", b"\0\xfa\0\x0a\0\x78")])
    yield "gray-alpha.png", png(picture(*size, 2, 9), 8, 4)
    yield "rgba.png", png(picture(*size, 4, 9), 8, 6)
    yield "rgb-interlaced.png", png(picture(*size, 3), 8, 2, True)
    yield "gray-16.png", png(dark, 16, 0)
    yield "gray-16-transparent.png", png(dark, 16, 0, extra=[(b"tRNS", b"\0\x40")])
    yield "gray-alpha-16.png", png(deep(2), 16, 4)
    yield "rgb-16.png", png(deep(3), 16, 2)
    yield "rgba-16-interlaced.png", png(deep(4), 16, 6, True)
    yield "gamma.png", png(picture(*size, 3), 8, 2, extra=[(b"gAMA", struct.pack(">I", 100000))])
    yield "display-p3.png", saved(rgb(*size), "PNG", icc_profile=display_p3())
    yield "exif-6.png", png(picture(*size, 3), 8, 2, extra=[(b"eXIf", exif(6))])
    xmp = b"XML:com.adobe.xmp\0\0\0\0\0" + b'<x tiff:Orientation="8"/>'
    yield "xmp-8.png", png(picture(*size, 3), 8, 2, extra=[(b"iTXt", xmp)])
    yield "exif-6-xmp-8.png", png(picture(*size, 3), 8, 2, extra=[(b"eXIf", exif(6)), (b"iTXt", xmp)])
    yield "1x1.png", png(picture(1, 1, 3), 8, 2)
    yield "3000x20.png", png(coarse(3000, 20), 8, 2)
    yield "20x3000.png", png(coarse(20, 3000), 8, 2)
    yield "224x224.png", png(coarse(224, 224), 8, 2)
    yield "224x90.png", png(coarse(224, 90), 8, 2)
    yield "90x224.png", png(coarse(90, 224), 8, 2)
    yield "449x7.png", png(picture(449, 7, 3), 8, 2)


def webps():
    yield "lossless.webp", saved(rgb(), "WEBP", lossless=True)
    yield "lossless-alpha.webp", saved(Image.fromarray(picture(41, 30, 4, 9)), "WEBP", lossless=True, exact=True)
    yield "lossy.webp", saved(rgb(), "WEBP", quality=80)
    yield "lossy-alpha.webp", saved(Image.fromarray(picture(41, 30, 4, 9)), "WEBP", quality=70)
    yield "lossy-640x481.webp", saved(rgb(640, 481, 0), "WEBP", quality=60)
    yield "exif-6.webp", saved(rgb(41, 30), "WEBP", lossless=True, exif=b"Exif\0\0" + exif(6))
    frames = [Image.fromarray(picture(41, 30, 4, 9)) for _ in range(2)]
    yield "animated.webp", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)


def gif_file(screen, frames, palette, background=0):
    """Frames: (left, top, picture in mode P, transparent index or None, own palette or None), taken from GIFs that Pillow wrote."""
    out = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80 | 2, background, 0) + palette
    for left, top, image, transparent, own in frames:
        if transparent is not None:
            out += b"!\xf9\x04\x01\0\0" + bytes([transparent]) + b"\0"
        data = saved(image, "GIF", interlace=0)
        data = data[data.index(b",\0\0\0\0" + struct.pack("<HH", *image.size)) + 10 :].rstrip(b";")
        out += b"," + struct.pack("<HHHHB", left, top, *image.size, 0x80 | 2 if own else 0) + (own or b"") + data
    return out + b";"


def gifs():
    def indexed(width, height):
        image = Image.fromarray(rng.integers(0, 8, (height, width)).astype(np.uint8), "P")
        image.putpalette(bytes(range(24)))
        return image

    colours, others = (rng.integers(0, 256, 24).astype(np.uint8).tobytes() for _ in range(2))
    yield "interlaced.gif", saved(rgb().quantize(64), "GIF", interlace=1)
    yield "plain.gif", saved(rgb(120, 90, 1).quantize(256), "GIF", interlace=0)
    yield "transparent.gif", gif_file((20, 15), [(0, 0, indexed(20, 15), 3, None)], colours)
    yield "offset.gif", gif_file((24, 18), [(3, 2, indexed(20, 15), None, None)], colours, 5)
    yield "offset-transparent.gif", gif_file((24, 18), [(3, 2, indexed(20, 15), 2, None)], colours, 5)
    yield "local-palette.gif", gif_file((20, 15), [(0, 0, indexed(20, 15), None, others)], colours)
    yield "larger-frame.gif", gif_file((10, 8), [(3, 2, indexed(20, 15), None, None)], colours)
    two = [(0, 0, indexed(20, 15), None, None), (4, 4, indexed(8, 8), 1, others)]
    yield "animated.gif", gif_file((20, 15), two, colours)
    yield "one-colour.gif", saved(Image.new("P", (30, 20), 0), "GIF")


def tiffs():
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"rgb-{compression}.tif", saved(rgb(37, 29), "TIFF", compression=compression)
    yield "gray.tif", saved(rgb(37, 29).convert("L"), "TIFF")
    yield "one-bit-group4.tif", saved(rgb(37, 29).convert("1"), "TIFF", compression="group4")
    yield "palette.tif", saved(rgb(37, 29).quantize(32), "TIFF")
    yield "cmyk.tif", saved(Image.fromarray(picture(37, 29, 4), "CMYK"), "TIFF")
    yield "rgba.tif", saved(Image.fromarray(picture(37, 29, 4, 9)), "TIFF", compression="tiff_lzw")
    yield "exif-6.tif", saved(rgb(37, 29), "TIFF", tiffinfo={274: 6})
    yield "gray-16.tif", tiff(picture(37, 29, 1).astype(int) * 2, 16, 1)
    yield "rgb-16-big-endian.tif", tiff(picture(37, 29, 3).astype(int) * 257, 16, 2, ">")
    yield "gray-white-is-zero.tif", tiff(picture(37, 29, 1), 8, 0)
    yield "rgb-planar.tif", tiff(picture(37, 29, 3), 8, 2, planar=2)
    yield "rgb-big.tif", tiff(picture(37, 29, 3), 8, 2, big=True)
    yield "gray-alpha.tif", tiff(picture(37, 29, 2), 8, 1, extra_samples=2)


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def expected(path):
    # Pillow 9.4 turns TIFFs when it loads them, so load_image turns them twice. We want them once: as a PIL image given to the processor.
    image = (Image.open(path) if path.suffix == ".tif" else load_image(str(path))).convert("RGB")
    # Said, not inferred: of a picture one or three pixels high 4.34 takes the rows for channels, and fails.
    pixels = HUB(image, input_data_format="channels_last", return_tensors="np")["pixel_values"][0].astype("<f4")
    assert pixels.shape == (3, 224, 224)
    return {"size": list(image.size), "rgb": sha256(np.asarray(image)), "pixels": sha256(pixels)}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    files = {}
    for make in (jpegs, pngs, webps, gifs, tiffs):
        for name, data in make():
            (OUT / name).write_bytes(data)
            files[name] = expected(OUT / name)
    versions = {"transformers": transformers.__version__, "Pillow": PIL.__version__, "numpy": np.__version__}
    versions |= {name: features.version(name) for name in ("libjpeg_turbo", "webp", "libtiff", "zlib")}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in files.items())
    head = f'"seed": {SEED},\n"versions": {json.dumps(versions)}'
    (OUT / "expected.json").write_text(f'{{{head},\n"files": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main()
