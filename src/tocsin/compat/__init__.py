"""Stand-ins for what people use today: change an import and keep the code.

tocsin.compat.queue    for queue
tocsin.compat.janus    for janus
tocsin.compat.logging  for the QueueHandler and QueueListener of logging.handlers
"""
