"""``python -m trio``: an interactive console in which ``await`` works; see :mod:`trio._repl`."""

from trio._repl import main

main(locals())
