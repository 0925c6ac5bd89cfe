"""What a lane may decide, as data, and the engine that decides by it."""


def check_command(profile: str = "demo") -> int:
    """See :func:`gate.policy.check.check_command`."""
    from gate.policy.check import check_command as check

    return check(profile)
