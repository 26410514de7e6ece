"""Control of vehicles: commands, callbacks and monitors."""
