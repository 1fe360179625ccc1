"""One gateway over several processes: a supervisor, its workers, the admin beside them."""
