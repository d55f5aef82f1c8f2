import plait

loans = plait.samples.risks(n=1000, seed=0)  # made data: five outcomes, many of them not known
train, test = plait.split(loans, time="issued_at")
outcomes = ["default", "days_late", "grade"]

kinds = {"default": "binary", "days_late": "regression", "grade": "ordinal"}
model = plait.MultiTask(kinds, fusion="early", time="issued_at")  # fusion="attention": one body for all
model.fit(train.drop(columns=["loss", "renewed"]))
print(model.predict(test).head(3))
print(model.evaluate(test.drop(columns=outcomes), test[outcomes]))

odd = plait.Detector(budget=0.02, time="issued_at")  # no labels: 2 new rows in 100 may alert
odd.fit(train.drop(columns=[*outcomes, "loss", "renewed"]))
print(*odd.explain(test.head(2)), sep="\n")
