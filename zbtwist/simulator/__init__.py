"""A Zigbee network in software: a local radio behind a serial line, an air, and remote nodes.

`network` holds the air and who is in it, `radio` is the module at the serial line, `node`, `nodes`
and `meter` are what talks to it from afar, `registers` and `module` are what every XBee module has.
A module knows the network by `medium`, and the others by `packet`.
`endpoint` joins a Twisted protocol to the radio in memory (``sim:``);
``python -m zbtwist.simulator`` puts the radio behind a pseudoterminal that any program may open.
"""
