"""Serve an exported network over HTTP: ``python serve.py EXPORT [PORT]``; the standard library does the rest.

POST the bytes of an image file to any path; the answer is JSON, the likeliest classes first:

    curl --data-binary @bird.jpg http://localhost:8000
"""

from __future__ import annotations

import io
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MAX_BYTES = 20_000_000


def make_server(export: Path, port: int) -> ThreadingHTTPServer:
    """A server for the export in a folder, not yet running; port 0 takes a free one."""
    sys.path.insert(0, str(export))  # the two files that an export carries
    from predict import UNREADABLE, read  # type: ignore[import-not-found]
    from runtime import load  # type: ignore[import-not-found]

    predict, description = load(export)
    names, size, in_channels = (description[name] for name in ("class_names", "image_size", "in_channels"))
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = self.headers.get("Content-Length", "0")
            length = int(told) if told.isdecimal() else 0
            if not 0 < length <= MAX_BYTES:
                self.answer(413, {"error": f"the image has {told} bytes; expected 1 to {MAX_BYTES}"})
                return
            try:
                pixels = read(io.BytesIO(self.rfile.read(length)), size, in_channels)
            except UNREADABLE as error:
                self.answer(400, {"error": f"that is no image which can be read: {error}"})
                return
            with one_at_a_time:
                probabilities = predict(pixels[None])[0]
            best = sorted(range(len(names)), key=lambda index: -probabilities[index])[:5]
            self.answer(200, {"classes": [{"name": names[i], "probability": float(probabilities[i])} for i in best]})

        def answer(self, status: int, values: dict[str, object]) -> None:
            body = json.dumps(values).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    server = make_server(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8000)
    print(f"serving at http://localhost:{server.server_port}")
    server.serve_forever()
