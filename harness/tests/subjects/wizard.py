"""A command line tool that asks its questions on a terminal. The mode is the first argument."""

import os
import sys
import termios
import time
import tty

mode = sys.argv[1] if len(sys.argv) > 1 else ""
if mode == "size":
    columns, rows = os.get_terminal_size()
    print(f"{columns}x{rows} {os.environ['TERM']} {sys.stdin.isatty()}")
elif mode == "menu":
    old = termios.tcgetattr(0)
    tty.setcbreak(0)
    chosen = 0
    while True:
        sys.stdout.write("\x1b[2J\x1b[1;1H")
        for n, name in enumerate(["small", "large"]):
            sys.stdout.write(f"\x1b[{n + 1};1H" + ("\x1b[7m> " if n == chosen else "  ") + name + "\x1b[0m")
        sys.stdout.flush()
        key = os.read(0, 8)
        if key == b"\r" or key == b"\n":
            break
        chosen = 1 - chosen
    termios.tcsetattr(0, termios.TCSANOW, old)
    print("\r\nchosen", ["small", "large"][chosen])
elif mode == "flood":
    while True:
        os.write(1, b"\x1b[31m" + b"y" * 1000 + b"\xff\r\n")
elif mode == "deaf":
    print("name: ", end="", flush=True)
    time.sleep(600)
else:
    name = input("\x1b[1mname:\x1b[0m ")
    print(f"\x1b[32mhello {name}\x1b[0m")
    sys.exit(0 if input("sure? ") == "yes" else 4)
