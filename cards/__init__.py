"""One-time code cards: made, sealed and judged as values, without a database, a web framework or a clock.

    codes        draw a card's codes, read what somebody typed, seal a card, judge a code
    serials      the number printed outside a card
    challenges   which unused code to ask for
    lots         a whole lot, streamed, on all cores
    errors       every way this package says no

Randomness and keys are arguments; the default source of randomness is that of the operating system.
A plain code is in no message and no `repr` of this package.
"""
