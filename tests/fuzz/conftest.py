from support.fuzzing import COUNT, SEED


def pytest_report_header() -> str:
    seed = "the same ones each time" if SEED is None else f"again by make fuzz SEED={SEED}"
    return f"fuzz: {COUNT} inputs a test, {seed}"
