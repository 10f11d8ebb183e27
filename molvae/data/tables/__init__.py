"""Tables of molecules: each format that is read and written."""
