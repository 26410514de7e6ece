"""A notebook: its cells await at the top level, as in Jupyter."""

# %%
from stellantis_hal import Application, FileTokenStore, StellantisClient, to_pandas

client = StellantisClient(Application("my-client-id", "my-client-secret"))
account = client.account(FileTokenStore("tokens.json"), brand="peugeot", key="alice")
vehicle = await account.vehicles().first()
vehicle

# %%
trips = await to_pandas(vehicle.trips())
trips[["started_at", "distance_km", "duration_s"]].tail()

# %%
by_month = trips.groupby(trips["started_at"].dt.strftime("%Y-%m"))["distance_km"].sum()
print(by_month)

# %%
trips.to_parquet("trips.parquet")

# %%
await client.aclose()
