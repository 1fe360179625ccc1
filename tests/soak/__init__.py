"""A gateway under mixed load for half an hour: memory, descriptors, tasks, records, money."""
