"""The official pretrained files: where they lie, and how they come from the hub.

`official` knows the layout, `pulling` decides what is wanted and whether it is right, `hub` asks,
`download` brings one file, `record` remembers what came, `command` is `parley voices pull`.
"""
