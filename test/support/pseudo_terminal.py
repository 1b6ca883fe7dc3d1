"""Runs a command under a pseudo-terminal of 100 columns and copies what it writes to standard output.

Signals sent to this process are passed on, and its exit code is the command's.
"""

import fcntl
import os
import pty
import signal
import struct
import sys
import termios


def main(command: list[str]) -> int:
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    # Ctrl-C is typed, as a person would do it, so that the terminal itself makes the signal.
    signal.signal(signal.SIGINT, lambda *_: os.write(terminal, b"\x03"))
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux reports the closed terminal as an error
            break
        if not chunk:
            break
        os.write(1, chunk)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
