"""Writers for what Pillow itself cannot write: every kind of PNG, a Display-P3 profile, JPEG markers, TIFFs by hand."""
import struct
import zlib

import numpy as np

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]  # x, y, step x, step y


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def pack_rows(samples, depth):
    """samples [h,w,c] -> rows with filter type 0."""
    height, width, channels = samples.shape
    rows = []
    for row in samples.reshape(height, width * channels):
        if depth == 16:
            packed = row.astype(">u2").tobytes()
        elif depth == 8:
            packed = row.astype(np.uint8).tobytes()
        else:
            bits = ((row[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8).ravel()
            packed = np.packbits(bits).tobytes()
        rows.append(b"\0" + packed)
    return b"".join(rows)


def png(samples, depth, colour, interlaced=False, extra=()):
    """`colour` as in IHDR: 0 gray, 2 RGB, 3 palette, 4 gray + alpha, 6 RGBA. `extra`: (kind, body) before IDAT."""
    height, width, _ = samples.shape
    if interlaced:
        parts = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7]
        data = b"".join(pack_rows(part, depth) for part in parts if part.size)
    else:
        data = pack_rows(samples, depth)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(data, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def exif(orientation):
    """A TIFF header with one tag."""
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHH", 1, 0x112, 3, 1, orientation, 0) + b"\0\0\0\0"


def display_p3():
    """A matrix profile with Display P3's primaries and a gamma of 2.2: a colour-managed decoder gives other pixels."""
    fixed = lambda value: struct.pack(">i", round(value * 65536))
    xyz = lambda *values: b"XYZ \0\0\0\0" + b"".join(map(fixed, values))
    text = b"desc\0\0\0\0" + struct.pack(">I", 11) + b"Display P3\0" + b"\0" * 78
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    tags = [
        (b"desc", text), (b"cprt", b"text\0\0\0\0none\0"), (b"wtpt", xyz(0.9505, 1, 1.089)),
        (b"rXYZ", xyz(0.51512, 0.2412, -0.00105)), (b"gXYZ", xyz(0.29198, 0.69225, 0.04189)),
        (b"bXYZ", xyz(0.1571, 0.06657, 0.78407)), (b"rTRC", curve), (b"gTRC", curve), (b"bTRC", curve),
    ]
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags:
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", 0, b"\0" * 4, 0x02100000, b"mntr", b"RGB ", b"XYZ ") + b"\0" * 12 + b"acsp" + b"\0" * 28
    header += fixed(0.9642) + fixed(1) + fixed(0.8249)
    profile = header + b"\0" * (128 - len(header)) + table + body
    return struct.pack(">I", len(profile)) + profile[4:]


ADOBE = b"\xff\xee\x00\x0eAdobe"


def without_adobe(jpeg):
    at = jpeg.index(ADOBE)
    return jpeg[:at] + jpeg[at + 16:]


def with_adobe(jpeg, transform):
    """Inserts Adobe's marker, or sets its colour transform: 0 none, 1 YCbCr, 2 YCCK."""
    if ADOBE in jpeg:
        at = jpeg.index(ADOBE) + 15
        return jpeg[:at] + bytes([transform]) + jpeg[at + 1:]
    return jpeg[:2] + ADOBE + b"\0d\0\0\0\0" + bytes([transform]) + jpeg[2:]


def tiff(samples, bits, photometric, order="<", planar=1, big=False, extra_samples=None):
    """Uncompressed, one strip (per plane). samples [h,w,c]."""
    height, width, channels = samples.shape
    planes = [samples] if planar == 1 else [samples[:, :, i : i + 1] for i in range(channels)]
    data = [plane.astype(order + ("u2" if bits == 16 else "u1")).tobytes() for plane in planes]
    at = 16 if big else 8
    offsets = [at + sum(map(len, data[:i])) for i in range(len(data))]
    tags = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * channels), (259, 3, [1]), (262, 3, [photometric]),
        (273, 4, offsets), (277, 3, [channels]), (278, 4, [height]), (279, 4, [len(part) for part in data]), (284, 3, [planar]),
    ]
    if extra_samples is not None:
        tags.append((338, 3, [extra_samples]))
    return tiff_file(tags, b"".join(data), order, big)


def tiff_file(tags, data, order, big):
    word, pad = ("Q", 8) if big else ("I", 4)
    data += b"\0" * (-len(data) % 8)
    start = (16 if big else 8) + len(data)
    after = start + (8 if big else 2) + len(tags) * (20 if big else 12) + pad
    entries, extra = b"", b""
    for tag, kind, values in tags:
        body = b"".join(struct.pack(order + ("H" if kind == 3 else "I"), value) for value in values)
        if len(body) > pad:
            entry = struct.pack(order + word, after + len(extra))
            extra += body + b"\0" * (-len(body) % 8)
        else:
            entry = body.ljust(pad, b"\0")
        entries += struct.pack(order + "HH" + word, tag, kind, len(values)) + entry
    head = b"II" if order == "<" else b"MM"
    head += struct.pack(order + "HHHQ", 43, 8, 0, start) if big else struct.pack(order + "HI", 42, start)
    return head + data + struct.pack(order + ("Q" if big else "H"), len(tags)) + entries + b"\0" * pad + extra
