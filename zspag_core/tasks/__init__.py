"""What workers do for pages and for the queue: one file a task, all with one signature, listed in `table`.

A task takes the job, whose config it understands, and a reporter; it returns what JSON can write.
"""
