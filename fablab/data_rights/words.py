"""What the files of an export are, in the member's language: English, French, Arabic."""

from __future__ import annotations

# Sheet -> what it is.
FILES: dict[str, dict[str, str]] = {
    "account": {
        "en": "Who you are here: name, address, language, date of birth if you gave it.",
        "fr": "Qui vous êtes ici : nom, adresse, langue, date de naissance si vous l'avez donnée.",
        "ar": "من أنت هنا: الاسم والعنوان واللغة وتاريخ الميلاد إن أعطيته.",
    },
    "roles": {
        "en": "What you may do, and in which lab.",
        "fr": "Ce que vous pouvez faire, et dans quel lab.",
        "ar": "ما يحق لك فعله وفي أي مختبر.",
    },
    "consents": {
        "en": "A guardian's consent to your account, with the words agreed to.",
        "fr": "L'accord d'un parent ou tuteur pour votre compte, avec le texte accepté.",
        "ar": "موافقة ولي أمرك على حسابك مع النص الذي وافق عليه.",
    },
    "sign-ins": {
        "en": "Browsers you signed in with: when, and from which network address.",
        "fr": "Les navigateurs où vous vous êtes connecté : quand, et depuis quelle adresse réseau.",
        "ar": "المتصفحات التي دخلت منها: متى ومن أي عنوان شبكة.",
    },
    "authenticator": {
        "en": "Your authenticator app: since when. Its secret is not handed out.",
        "fr": "Votre application d'authentification : depuis quand. Son secret n'est pas remis.",
        "ar": "تطبيق المصادقة: منذ متى. سره لا يسلم.",
    },
    "recovery-codes": {
        "en": "Your recovery codes: which were used. The codes themselves are not kept.",
        "fr": "Vos codes de secours : lesquels ont servi. Les codes eux-mêmes ne sont pas conservés.",
        "ar": "رموز الاسترجاع: أيها استعمل. الرموز نفسها لا نحتفظ بها.",
    },
    "passkeys": {
        "en": "Your passkeys: their names and when you used them.",
        "fr": "Vos clés d'accès : leurs noms et quand vous les avez utilisées.",
        "ar": "مفاتيح المرور: أسماؤها ومتى استعملتها.",
    },
    "other-accounts": {
        "en": "Accounts elsewhere that you sign in with.",
        "fr": "Les comptes ailleurs avec lesquels vous vous connectez.",
        "ar": "حساباتك لدى جهات أخرى التي تدخل بها.",
    },
    "tokens": {
        "en": "Access tokens of your programs, without their secrets.",
        "fr": "Les jetons d'accès de vos programmes, sans leurs secrets.",
        "ar": "رموز وصول برامجك دون أسرارها.",
    },
    "mails": {
        "en": "Mails this service wrote to you: about what, and when.",
        "fr": "Les messages que ce service vous a écrits : à quel sujet, et quand.",
        "ar": "الرسائل التي كتبتها لك هذه الخدمة: موضوعها ومتى.",
    },
    "mail-links": {
        "en": "Links sent to you to confirm an address or to set a password.",
        "fr": "Les liens envoyés pour confirmer une adresse ou choisir un mot de passe.",
        "ar": "الروابط التي أرسلت إليك لتأكيد عنوان أو اختيار كلمة سر.",
    },
    "audit": {
        "en": "Acts concerning rights, by you or on you: what, when, and by whom in general.",
        "fr": "Les actes touchant aux droits, par vous ou sur vous : quoi, quand, et par qui en général.",
        "ar": "الأفعال المتعلقة بالحقوق منك أو عليك: ماذا ومتى ومن أي طرف.",
    },
    "projects": {
        "en": "Your projects.",
        "fr": "Vos projets.",
        "ar": "مشاريعك.",
    },
    "organisations": {
        "en": "Organisations you belong to.",
        "fr": "Les organisations dont vous êtes membre.",
        "ar": "المنظمات التي تنتمي إليها.",
    },
    "invitations": {
        "en": "Invitations sent to your address.",
        "fr": "Les invitations envoyées à votre adresse.",
        "ar": "الدعوات المرسلة إلى عنوانك.",
    },
    "certifications": {
        "en": "What you are certified for.",
        "fr": "Ce pour quoi vous êtes certifié.",
        "ar": "ما أنت معتمد لاستعماله.",
    },
    "certification-changes": {
        "en": "The history of your certifications, with the reasons given.",
        "fr": "L'histoire de vos certifications, avec les raisons données.",
        "ar": "تاريخ اعتماداتك مع الأسباب المذكورة.",
    },
    "trainings": {
        "en": "Trainings you enrolled in.",
        "fr": "Les formations où vous vous êtes inscrit.",
        "ar": "الدورات التي سجلت فيها.",
    },
    "trainings-led": {
        "en": "Trainings you led.",
        "fr": "Les formations que vous avez animées.",
        "ar": "الدورات التي أشرفت عليها.",
    },
    "came-along": {
        "en": "Bookings of others you came along on.",
        "fr": "Les réservations d'autres personnes où vous étiez présent.",
        "ar": "حجوزات أشخاص آخرين شاركت فيها.",
    },
    "bookings": {
        "en": "Your bookings.",
        "fr": "Vos réservations.",
        "ar": "حجوزاتك.",
    },
    "booking-changes": {
        "en": "Every change of your bookings, with the reasons given.",
        "fr": "Chaque changement de vos réservations, avec les raisons données.",
        "ar": "كل تغيير في حجوزاتك مع الأسباب المذكورة.",
    },
    "jobs": {
        "en": "What the machines made for you: files, times, outcomes.",
        "fr": "Ce que les machines ont fait pour vous : fichiers, heures, résultats.",
        "ar": "ما صنعته الآلات لك: الملفات والأوقات والنتائج.",
    },
    "machine-use": {
        "en": "How long the machines were in use in your bookings, and their energy.",
        "fr": "La durée d'utilisation des machines dans vos réservations, et leur énergie.",
        "ar": "مدة استعمال الآلات في حجوزاتك وطاقتها.",
    },
    "approvals": {
        "en": "Approvals: of your requests by staff, and of others' requests by you.",
        "fr": "Les accords : à vos demandes par l'équipe, et par vous aux demandes d'autres personnes.",
        "ar": "الموافقات: على طلباتك من الفريق، ومنك على طلبات الآخرين.",
    },
    "series": {
        "en": "Your bookings that come again and again.",
        "fr": "Vos réservations qui se répètent.",
        "ar": "حجوزاتك المتكررة.",
    },
    "series-skipped": {
        "en": "Dates of these that were not booked, and which rule was in the way.",
        "fr": "Les dates de celles-ci qui n'ont pas été réservées, et la règle qui l'empêchait.",
        "ar": "تواريخ منها لم تحجز، والقاعدة التي منعت ذلك.",
    },
    "waiting-list": {
        "en": "What you stood in line for.",
        "fr": "Ce pour quoi vous étiez en liste d'attente.",
        "ar": "ما انتظرت دورك من أجله.",
    },
    "handovers": {
        "en": "Bookings you offered to others, and others to you.",
        "fr": "Les réservations que vous avez proposées à d'autres, et eux à vous.",
        "ar": "الحجوزات التي عرضتها على غيرك أو عرضها غيرك عليك.",
    },
    "calendar-feeds": {
        "en": "Your calendar feeds: of what, and when they were read. Their secret addresses are not kept.",
        "fr": "Vos flux d'agenda : de quoi, et quand ils ont été lus. Leurs adresses secrètes ne sont pas "
        "conservées.",
        "ar": "تقاويمك المشتركة: لأي شيء ومتى قرئت. عناوينها السرية لا نحتفظ بها.",
    },
    "notices": {
        "en": "Which notices you want by mail.",
        "fr": "Les avis que vous voulez par courriel.",
        "ar": "الإشعارات التي تريدها بالبريد.",
    },
}

INTRODUCTION = {
    "en": "Everything this service holds about {name}, as of {at}.",
    "fr": "Tout ce que ce service conserve sur {name}, au {at}.",
    "ar": "كل ما تحتفظ به هذه الخدمة عن {name}، حتى {at}.",
}
WHOLE = {
    "en": "all of it in one piece, for programs; times are UTC",
    "fr": "le tout en un seul fichier, pour les programmes ; les heures sont en UTC",
    "ar": "كل شيء في ملف واحد للبرامج؛ الأوقات بالتوقيت العالمي",
}
TABLES = {
    "en": "The .csv files hold the same as tables. Rows in each are given in brackets.",
    "fr": "Les fichiers .csv contiennent la même chose en tableaux. Le nombre de lignes est entre crochets.",
    "ar": "ملفات ‎.csv تحوي الشيء نفسه في جداول. عدد الأسطر بين معقوفين.",
}
NOT_IN_IT = {
    "en": "Not in it: secrets such as passwords and keys, which would only help a thief, and what belongs to "
    "other people.",
    "fr": "N'y figurent pas : les secrets comme les mots de passe et les clés, qui ne serviraient qu'à un "
    "voleur, et ce qui appartient à d'autres personnes.",
    "ar": "ليس فيه: الأسرار ككلمات السر والمفاتيح التي لا تنفع إلا السارق، وما يخص أشخاصا آخرين.",
}
