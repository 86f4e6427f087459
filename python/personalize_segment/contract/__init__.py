"""The meaning of events, shared by history, live, warehouse and provisioning. The standard library only."""
