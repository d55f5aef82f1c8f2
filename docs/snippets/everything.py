import plait
from plait.data.asof import side

rows, tables = plait.samples.everything(n=200, seed=0)  # made data: nine kinds of evidence
sides = {name: side(name, table, key="account", time="time") for name, table in tables.items()}

model = plait.Classifier(fusion="early", time="issued_at", random_state=0)
model.fit(rows.drop(columns="default"), rows["default"], sides=sides)

print([source.modality for source in model.schema_.sources])
some = rows.head(5).assign(letter=None, call=None, film=None)  # any of them may be missing
print(model.predict_proba(some, sides=sides))
