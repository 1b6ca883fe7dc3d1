"""Writes small PDFs with every structure that makes counting pages hard: python3 make-pdf-corpus.py FOLDER

Each is NAME.pdf; index.json says how many pages each was made with (null: there is none, or nothing left that leads to them). Needs pikepdf
and reportlab on PYTHONPATH. What is written depends on nothing but this file and those two, beside keys drawn at random.
"""

import io
import json
import re
import sys
import zlib
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, ObjectStreamMode
from reportlab.pdfgen.canvas import Canvas

MADE = {}


def document(name, pages):
    """Registers a maker: a function that returns the bytes of document `name`, made with `pages` pages."""

    def register(make):
        MADE[name] = (pages, make)
        return make

    return register


# ---- by reportlab, rewritten by qpdf (through pikepdf) ----


def printed(pages, compress=1):
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(612, 792), invariant=1, pageCompression=compress)
    for number in range(1, pages + 1):
        canvas.drawString(72, 700, f"Section {number:02d} 00 00, page {number} of {pages}")
        canvas.rect(36, 36, 540, 720)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def rewritten(data, change=None, **options):
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        if change:
            change(pdf)
        pdf.save(out, **options)
    return out.getvalue()


def standard_documents():
    streams = {"objects": ObjectStreamMode.generate, "plain": ObjectStreamMode.disable}
    for pages in (1, 7, 120):
        document(f"printed-{pages}", pages)(lambda n=pages: printed(n))
        for kind, mode in streams.items():
            document(f"qpdf-{kind}-{pages}", pages)(lambda n=pages, m=mode: rewritten(printed(n), object_stream_mode=m))
            document(f"linearized-{kind}-{pages}", pages)(
                lambda n=pages, m=mode: rewritten(printed(n), linearize=True, object_stream_mode=m)
            )
    document("printed-uncompressed-3", 3)(lambda: printed(3, compress=0))
    document("version-2.0", 4)(lambda: rewritten(printed(4), force_version="2.0"))
    document("qdf", 5)(lambda: rewritten(printed(5), qdf=True))


def encrypted_documents():
    kinds = {
        "rc4-40": dict(R=2, aes=False, metadata=False),
        "rc4-128": dict(R=3, aes=False, metadata=False),
        "aes-128": dict(R=4, aes=True, metadata=True),
        "aes-128-clear-metadata": dict(R=4, aes=True, metadata=False),
        "aes-256-r5": dict(R=5, aes=True, metadata=True),
        "aes-256": dict(R=6, aes=True, metadata=True),
    }
    for kind, options in kinds.items():
        for user in ("", "secret"):
            key = pikepdf.Encryption(owner="owner", user=user, **options)
            name = f"encrypted-{kind}-{'password' if user else 'open'}"
            pages = None if user else 9
            document(name, pages)(lambda k=key: rewritten(printed(9), encryption=k))
    key = pikepdf.Encryption(owner="owner", user="", R=6)
    generate = ObjectStreamMode.generate
    document("encrypted-linearized-objects", 30)(
        lambda: rewritten(printed(30), encryption=key, linearize=True, object_stream_mode=generate)
    )
    document("encrypted-objects", 30)(lambda: rewritten(printed(30), encryption=key, object_stream_mode=generate))


# ---- written object by object ----

PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>"
CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"


def tree(kids, count, extra=b""):
    refs = b" ".join(b"%d 0 R" % kid for kid in kids)
    total = b"" if count is None else b"/Count %d" % count
    return b"<< /Type /Pages /Kids [%s] %s %s >>" % (refs, total, extra)


def written(objects, header=b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"):
    data, offsets = bytearray(header), {}
    for number, body in sorted(objects.items()):
        offsets[number] = len(data)
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    return bytes(data) + table(offsets, len(data))


def table(offsets, start, prev=b""):
    lines = [b"xref\n0 1\n0000000000 65535 f \n"] if not prev else [b"xref\n"]
    for number, offset in sorted(offsets.items()):
        lines.append(b"%d 1\n%010d 00000 n \n" % (number, offset))
    size = max(offsets) + 1
    return b"".join(lines) + b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (size, prev, start)


def appended(data, objects):
    """An incremental update: the objects again or new, and a table that points to the one before."""
    prev = int(re.findall(rb"startxref\s+(\d+)", data)[-1])
    update, offsets = bytearray(), {}
    for number, body in sorted(objects.items()):
        offsets[number] = len(data) + len(update)
        update += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    return data + bytes(update) + table(offsets, len(data) + len(update), b"/Prev %d" % prev)


def flat(pages, count="right", extra=b""):
    kids = range(3, 3 + pages)
    total = pages if count == "right" else count
    return {1: CATALOG, 2: tree(kids, total, extra), **{kid: PAGE for kid in kids}}


def nested(depth, width):
    """Page trees of the given depth; each node but the lowest has `width` nodes below it, the lowest that many pages."""
    objects, free = {1: CATALOG}, [3]

    def node(number, level):
        kids = list(range(free[0], free[0] + width))
        free[0] += width
        below = [node(kid, level - 1) for kid in kids] if level > 1 else [1] * width
        if level == 1:
            objects.update({kid: PAGE for kid in kids})
        objects[number] = tree(kids, sum(below))
        return sum(below)

    node(2, depth)
    return objects


def chain(depth):
    objects = {number: tree([number + 1], 1) for number in range(2, 2 + depth)}
    return {1: CATALOG, **objects, 2 + depth: PAGE}


def table_as_stream(objects):
    """A cross-reference stream over plain objects."""
    data, offsets = bytearray(b"%PDF-1.5\n"), {}
    for number, body in sorted(objects.items()):
        offsets[number] = len(data)
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    own, start = max(objects) + 1, len(data)
    rows = [b"\x00\x00\x00\x00\xff"]
    for number in range(1, own + 1):
        rows.append(b"\x01" + offsets.get(number, start).to_bytes(3, "big") + b"\x00")
    stream = zlib.compress(b"".join(rows))
    dictionary = b"<< /Type /XRef /Size %d /W [1 3 1] /Root 1 0 R /Filter /FlateDecode /Length %d >>" % (own + 1, len(stream))
    data += b"%d 0 obj\n%s\nstream\n%s\nendstream\nendobj\n" % (own, dictionary, stream)
    return bytes(data) + b"startxref\n%d\n%%%%EOF\n" % start


def tree_documents():
    document("tree-depth-2", 9)(lambda: written(nested(2, 3)))
    document("tree-depth-6", 64)(lambda: written(nested(6, 2)))
    document("tree-chain-of-40", 1)(lambda: written(nested(40, 1)))
    document("tree-chain-of-20000", 1)(lambda: written(chain(20_000)))
    document("arrays-within-arrays", 1)(lambda: written({**flat(1), 4: b"[" * 100_000 + b"]" * 100_000}))
    document("tree-5000-flat", 5000)(lambda: written(flat(5000)))
    document("tree-5000-nested", 4096)(lambda: written(nested(6, 4)))
    document("tree-5000-in-object-streams", 5000)(
        lambda: rewritten(written(flat(5000)), object_stream_mode=ObjectStreamMode.generate)
    )
    document("tree-count-too-large", 5)(lambda: written(flat(5, 8)))
    document("tree-count-absurd", 5)(lambda: written(flat(5, 1_000_000)))
    document("tree-count-too-small", 5)(lambda: written(flat(5, 3)))
    document("tree-count-zero", 5)(lambda: written(flat(5, 0)))
    document("tree-count-negative", 5)(lambda: written(flat(5, -5)))
    document("tree-count-missing", 5)(lambda: written(flat(5, None)))
    document("tree-count-elsewhere", 5)(lambda: written({**flat(5, None, b"/Count 90 0 R"), 90: b"5"}))
    document("tree-count-a-name", 5)(lambda: written(flat(5, None, b"/Count /Five")))
    document("tree-kids-elsewhere", 2)(
        lambda: written({1: CATALOG, 2: b"<< /Type /Pages /Kids 9 0 R /Count 2 >>", 3: PAGE, 4: PAGE, 9: b"[3 0 R 4 0 R]"})
    )
    document("tree-kid-missing", 5)(lambda: written({1: CATALOG, 2: tree(range(3, 9), 6), **{k: PAGE for k in range(3, 8)}}))
    document("tree-kid-null", 5)(lambda: written({**flat(6), 5: b"null"}))
    document("tree-types-missing", 4)(
        lambda: written({1: CATALOG, 2: tree(range(3, 7), 4), **{k: PAGE.replace(b"/Type /Page ", b"") for k in range(3, 7)}})
    )
    document("tree-cycle", 2)(lambda: written({1: CATALOG, 2: tree([3, 4, 2], 2), 3: PAGE, 4: PAGE}))
    document("tree-page-repeated", 4)(lambda: written({1: CATALOG, 2: tree([3, 3, 3, 4], 4), 3: PAGE, 4: PAGE}))
    document("tree-empty", None)(lambda: written({1: CATALOG, 2: tree([], 0)}))
    document("tree-is-a-page", 1)(lambda: written({1: CATALOG, 2: PAGE.replace(b"/Parent 2 0 R", b"")}))
    document("tree-missing", None)(lambda: written({1: CATALOG, 3: PAGE}))
    document("catalog-missing", None)(lambda: written({2: tree([3], 1), 3: PAGE}))
    document("pages-added-in-tree", 8)(lambda: rewritten(printed(7), change=lambda pdf: pdf.add_blank_page()))
    document("pages-shared-by-copy", 14)(lambda: rewritten(printed(7), change=lambda pdf: pdf.pages.extend(pdf.pages)))
    document("tables-as-stream", 6)(lambda: table_as_stream(flat(6)))


def updated_documents():
    base = lambda pages=5: written(flat(pages))
    document("update-adds-pages", 7)(lambda: appended(base(), {2: tree(range(3, 10), 7), 8: PAGE, 9: PAGE}))
    document("update-removes-pages", 2)(lambda: appended(base(), {2: tree([3, 5], 2)}))
    document("update-twice", 4)(
        lambda: appended(appended(base(), {2: tree(range(3, 9), 6), 8: PAGE}), {2: tree([3, 4, 5, 8], 4)})
    )
    document("update-changes-nothing", 5)(lambda: appended(base(), {3: PAGE}))
    document("update-after-linearized", 6)(update_after_linearized)
    document("update-with-broken-prev", 7)(
        lambda: re.sub(rb"/Prev \d+", b"/Prev 7", appended(base(), {2: tree(range(3, 10), 7), 8: PAGE, 9: PAGE}))
    )


def update_after_linearized():
    data = rewritten(printed(7), linearize=True, object_stream_mode=ObjectStreamMode.disable)
    with pikepdf.open(io.BytesIO(data)) as pdf:
        number = pdf.Root.Pages.objgen[0]
        kids = [page.objgen[0] for page in pdf.Root.Pages.Kids][:6]
        root, size = pdf.Root.objgen[0], int(pdf.trailer.Size)
    trailer = appended(data, {number: tree(kids, 6)})
    return trailer.replace(b"/Root 1 0 R /Prev", b"/Root %d 0 R /Prev" % root).replace(b"/Size %d " % (number + 1), b"/Size %d " % size)


# ---- broken files ----


def broken_documents():
    plain = lambda: rewritten(printed(7), object_stream_mode=ObjectStreamMode.disable)
    packed = lambda: rewritten(printed(7), object_stream_mode=ObjectStreamMode.generate)
    startxref = rb"startxref\s+\d+"
    document("broken-offsets-shifted", 7)(
        lambda: re.sub(rb"(\d{10}) 00000 n", lambda m: b"%010d 00000 n" % (int(m[1]) + 9), plain())
    )
    document("broken-offsets-zero", 7)(lambda: re.sub(rb"\d{10} 00000 n", b"0000000000 00000 n", plain()))
    document("broken-offsets-beyond-end", 7)(lambda: re.sub(rb"\d{10} 00000 n", b"9999999999 00000 n", plain()))
    document("broken-table-keyword", 7)(lambda: plain().replace(b"\nxref\n", b"\nxfer\n"))
    document("broken-table-numbering", 7)(lambda: plain().replace(b"\nxref\n0 ", b"\nxref\n1 "))
    document("broken-startxref-missing", 7)(lambda: re.sub(startxref, b"", plain()))
    document("broken-startxref-zero", 7)(lambda: re.sub(startxref, b"startxref\n0", plain()))
    document("broken-startxref-elsewhere", 7)(lambda: re.sub(startxref, b"startxref\n50", plain()))
    document("broken-startxref-elsewhere-packed", 7)(lambda: re.sub(startxref, b"startxref\n50", packed()))
    document("broken-table-stream-zeroed", 7)(lambda: zeroed_table_stream(packed()))
    document("broken-tail-cut-10", 7)(lambda: plain()[:-10])
    document("broken-tail-cut-300", None)(lambda: plain()[:-300])
    document("broken-tail-cut-packed", None)(lambda: packed()[:-60])
    document("broken-cut-in-half", None)(lambda: printed(40)[: len(printed(40)) // 2])
    document("broken-header-only", None)(lambda: b"%PDF-1.7\n")
    document("broken-body-zeroed", None)(lambda: plain()[:20] + b"\x00" * 4000)
    document("broken-line-ends", 7)(lambda: printed(7).replace(b"\n", b"\r\n"))
    document("broken-stream-length", 7)(lambda: re.sub(rb"/Length \d+", b"/Length 1", plain()))
    document("broken-root-missing", None)(lambda: re.sub(rb"/Root \d+ 0 R", b"", plain()))
    document("garbage-before-100", 7)(lambda: b"x" * 99 + b"\n" + plain())
    document("garbage-before-1000", 7)(lambda: b"x" * 999 + b"\n" + plain())
    document("garbage-before-5000", 7)(lambda: b"x" * 4999 + b"\n" + plain())
    document("garbage-mail-before", 7)(lambda: b"Content-Type: application/pdf\r\n\r\n" + packed())
    document("garbage-after-200", 7)(lambda: plain() + b"\x00" * 200)
    document("garbage-after-5000", 7)(lambda: plain() + b"\x00" * 5000)
    document("header-missing", 7)(lambda: plain().replace(b"%PDF-1", b"%xxx-1", 1))
    document("not-empty-but-text", None)(lambda: b"Door schedule\nA-101  3070  HM\n" * 40)
    document("not-a-picture", None)(lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)
    document("not-there-at-all", None)(lambda: b"")


def zeroed_table_stream(data):
    at = data.rindex(b"/XRef")
    start = data.index(b"stream\n", at) + 7
    end = data.index(b"endstream", start)
    return data[:start] + b"\x00" * (end - start) + data[end:]


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for add in (standard_documents, encrypted_documents, tree_documents, updated_documents, broken_documents):
        add()
    for name, (_, make) in MADE.items():
        (folder / f"{name}.pdf").write_bytes(make())
    index = {name: pages for name, (pages, _) in MADE.items()}
    (folder / "index.json").write_text(json.dumps(index, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
