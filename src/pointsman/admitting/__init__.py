"""Who is let in: budgets, rates and requests at once, held here and shared through a store."""
