"""Who may use which kind of machine, and the trainings that lead there."""
