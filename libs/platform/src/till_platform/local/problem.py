class LocalProblem(Exception):
    """Something on this machine keeps the local stack from running; says what is wrong and what to do, one line each."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}: {self.remedy}"
