"""Stacks from `perf script --fields comm,ip,sym` on standard input, as a flame graph in SVG on standard output.

A box is a function, as wide as its share of the samples, and lies on the one that called it. What only hands calls on (core, std, the
boxes of futures, the layers of HTTP) is left out, the runtime is one box, and of the system's kernel only the call is shown. Point at a box for its whole name and share.
"""

import re
import sys
from collections import defaultdict
from html import escape

WIDTH, ROW, LEAST = 1200, 16, 0.004
HANDS_ON = re.compile(
    r"^<?(&mut )?(core|std|alloc|futures_\w+|tracing::instrument|tokio_util::task|tokio_util::sync|tokio::future|tower|tower_service|axum)::"
    r"|^(start_thread|clone3|\[unknown\]|_start|main|__libc_start)|^<F as |^<T as "
)
COLOURS = {
    "ramz": "#e8a33d", "sqlite": "#6f9fd8", "kernel": "#b8b8b8", "postgres": "#5f8fc9",
    "memory": "#d9705f", "runtime": "#c9b7dd", "other": "#e6d9b8",
}


def short(name):
    """A symbol as one would say it: without parameters, the last two parts of its path."""
    name = re.sub(r"::\{\{closure\}\}|\.(isra|part|constprop)\.\d+", "", name)
    said = re.match(r"^<(?:impl )?(.+?) as .+>::(\w+)$", name)
    if said:
        name = f"{said[1]}::{said[2]}"
    while "<" in name and (less := re.sub(r"(::)?<[^<>]*>", "", name)) != name:
        name = less
    return "::".join(name.split("::")[-2:]) or name


def room(name):
    """Whose code it is, for the colour."""
    if re.match(r"^<?(&?mut )?ramz", name) or "ramz_" in name:
        return "ramz"
    if re.match(r"^(sqlite3|wal[A-Z]|pager|pcache1|balance|unix[A-Z]|vdbe|btree)", name) or name.startswith("rusqlite"):
        return "sqlite"
    if re.match(r"^_?(mi_|int_malloc|int_free)|^(malloc|free|realloc|calloc|__mem\w+)", name):
        return "memory"
    return "runtime" if name == "tokio" else "other"


def stacks(lines):
    """Each sample as [(name, room)] from the outside in."""
    block = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line.strip())
            continue
        if len(block) > 1:
            frames = [(block[0], "other")]
            for line in reversed(block[1:]):
                address, _, name = line.partition(" ")
                if address.startswith("ffffffff"):
                    # An interrupt has no call.
                    if called := re.match(r"^__x64_sys_(\w+)", name):
                        frames.append((called[1], "kernel"))
                    continue
                if name.startswith("tokio::runtime") or name.startswith("<tokio::runtime"):
                    name = "tokio"
                if not HANDS_ON.match(name):
                    of = "postgres" if block[0] == "postgres" else room(name)
                    frame = (short(name), of)
                    if frame != frames[-1]:
                        frames.append(frame)
            yield frames
        block = []


class Box:
    def __init__(self):
        self.count, self.inside = 0, defaultdict(Box)


def draw(box, frame, x, depth, scale, total, out):
    name, of = frame
    width = box.count * scale
    share = f"{name}: {100 * box.count / total:.1f} %"
    letters = int(width / 6.6)
    text = name if len(name) <= letters else name[: letters - 1] + "…" if letters > 3 else ""
    out.append((depth, x, width, COLOURS[of], share, text))
    for inner, child in sorted(box.inside.items()):
        if child.count >= LEAST * total:
            draw(child, inner, x, depth + 1, scale, total, out)
        x += child.count * scale


def main():
    root = Box()
    for frames in stacks(sys.stdin):
        at = root
        at.count += 1
        for frame in frames:
            at = at.inside[frame]
            at.count += 1
    if not root.count:
        sys.exit("no samples: is the process there, and may perf look at it?")
    out = []
    draw(root, (f"all, {root.count} samples", "other"), 0, 0, WIDTH / root.count, root.count, out)
    height = (max(depth for depth, *_ in out) + 1) * ROW
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">')
    print(f'<rect width="{WIDTH}" height="{height}" fill="#fffdf7"/>')
    for depth, x, width, colour, share, text in out:
        y = height - (depth + 1) * ROW
        print(f'<g><title>{escape(share)}</title><rect x="{x:.1f}" y="{y}" width="{max(width - 0.5, 0.5):.1f}" height="{ROW - 1}" '
              f'fill="{colour}" rx="1"/>' + (f'<text x="{x + 3:.1f}" y="{y + 11}">{escape(text)}</text>' if text else "") + "</g>")
    print("</svg>")


main()
