"""Device type identifiers: the product is the low word, whatever the module."""

from __future__ import annotations

from twisted.trial import unittest

from zbtwist.xbee import devices


class DevicesTests(unittest.SynchronousTestCase):
    def test_product(self) -> None:
        self.assertEqual(devices.product_of(0x0003000D), devices.SENSOR_LTH)
        self.assertEqual(devices.product_of(0x00020008), devices.WALL_ROUTER)
        self.assertEqual(devices.product_name(0x00030005), "RS-232 adapter")
        self.assertEqual(devices.product_name(0x00050005), "RS-232 adapter")

    def test_unknown_product(self) -> None:
        self.assertEqual(devices.product_name(0x00030000), "")
        self.assertEqual(devices.product_name(0x0003FFFF), "")

    def test_every_product_has_a_name(self) -> None:
        """Digi's table runs from 1 to 11 hexadecimal without a gap."""
        self.assertEqual(sorted(devices.PRODUCTS), list(range(0x01, 0x12)))
        names = [devices.product_name(0x00030000 | number) for number in devices.PRODUCTS]
        self.assertEqual(len(set(names)), len(names))
        self.assertNotIn("", names)

    def test_roles(self) -> None:
        numbers = (devices.COORDINATOR, devices.ROUTER, devices.END_DEVICE)
        self.assertEqual([devices.ROLES[n] for n in numbers], ["coordinator", "router", "end"])
        self.assertEqual(numbers, (0, 1, 2))
