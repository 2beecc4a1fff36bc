"""What is wrong with a file, told so that the person who exported it can put it right."""


class FileError(Exception):
    """A file cannot be read on. `str()` is Indonesian: which file, which line, what happened, what to do.

    Rows before that line were read rightly; nothing after it was. It never repeats the file's content.
    """

    def __init__(self, *, name: str, line: int | None, what: str, advice: str) -> None:
        where = name if line is None else f"{name} baris {line}"
        super().__init__(f"{where}: {what}. {advice}.")
        self.name = name
        self.line = line
        self.what = what
        self.advice = advice
