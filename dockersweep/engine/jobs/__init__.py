"""Jobs on the nodes of a swarm: created, waited for, their documents brought back, and removed."""
