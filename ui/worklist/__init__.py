"""The worklist's screen: filters that live in the address, and the table of cases."""
