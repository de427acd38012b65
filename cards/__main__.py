"""`python -m cards`: the offline program. Reads the clock for the rest, which is given the time."""

from datetime import UTC, datetime

from cards.commands import Said, asking, keys, making, printing

program = Said(
    name="cards",
    help="Lots of one-time code cards: asked for, approved, made, printed. Offline; each command says with --help"
    " what it does and how to undo it.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for module in (keys, asking, making, printing):
    for command in module.commands:
        program.add_command(command)

if __name__ == "__main__":
    program(prog_name="python -m cards", obj=lambda: datetime.now(UTC))
