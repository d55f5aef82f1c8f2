import plait

loans = plait.samples.loans(n=2000, seed=0)  # made data: a table, a letter, balances
train, test = plait.split(loans, time="issued_at")  # past to fit, future to judge

model = plait.Classifier(time="issued_at", random_state=0)
model.fit(train.drop(columns="default"), train["default"])

print(model.predict_proba(test)[:3])
print(model.evaluate(test, test["default"]))  # with intervals, beside baselines

model.save("loans.plait")  # JSON, arrays and text: nothing that can be executed
again = plait.load("loans.plait")
assert (again.predict(test) == model.predict(test)).all()
