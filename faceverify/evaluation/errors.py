"""What goes wrong with an operator's input; kept apart so that naming it costs no import."""


class EvaluationError(Exception):
    """The input cannot be evaluated; says where and why, in one line."""
