"""The meaning of events, shared by history, live, warehouse and provisioning. Imports only the standard library."""
