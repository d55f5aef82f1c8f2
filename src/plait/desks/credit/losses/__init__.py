"""What a default costs and how likely one is over time: LGD, EAD, expected loss, and the stages of IFRS 9."""
