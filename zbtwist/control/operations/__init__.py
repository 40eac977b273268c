"""What can be asked and done, in no wire format: an operation is one method with type hints and a
docstring, marked by `zbtwist.control.operations.table.operation`. The files are the subjects.
"""
